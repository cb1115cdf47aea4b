"""Write the completion script of a shell: verbs, actions, flags and their choices, made from the verbs themselves.

It calls nothing when a key is pressed: what it offers stands in it. Make it again after an update of sbomgate.

examples:
  source <(sbomgate completion bash)                              in ~/.bashrc
  sbomgate completion bash > ~/.local/share/bash-completion/completions/sbomgate
  sbomgate completion zsh > ~/.zfunc/_sbomgate                    a folder that is in fpath before compinit
  sbomgate completion fish > ~/.config/fish/completions/sbomgate.fish
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sbomgate.errors import EXIT_ALLOWED

if TYPE_CHECKING:
    from sbomgate.cli._environment import Environment

HELP = "write the completion script of a shell"
SHELLS = ("bash", "zsh", "fish")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("shell", choices=SHELLS, help="the shell")


def run(args: argparse.Namespace, env: Environment) -> int:  # noqa: ARG001  every verb is called alike
    """Print the script."""
    from sbomgate import cli

    commands = list(commands_of(cli.parser()))
    script = {"bash": _bash, "zsh": _zsh, "fish": _fish}[args.shell](commands)
    print(script, end="")
    return EXIT_ALLOWED


@dataclass(frozen=True, slots=True, kw_only=True)
class Flag:
    """An option of a command: its names, what it is for, whether a value follows, and which there are ("" any)."""

    names: tuple[str, ...]
    help: str
    takes: bool
    choices: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A verb, or an action of one: the words that name it, its own flags, and the words that may follow.

    Attributes:
        words: what follows `sbomgate`; none is sbomgate itself.
        below: verbs or actions; or the choices of its first argument.
    """

    words: tuple[str, ...]
    help: str
    flags: tuple[Flag, ...]
    below: tuple[tuple[str, str], ...]


def commands_of(parser: argparse.ArgumentParser, words: tuple[str, ...] = (), about: str = "") -> Iterator[Command]:
    """Yield a parser's command and those below it."""
    flags, below, parsers = [], [], []
    for action in parser._actions:
        if action.help == argparse.SUPPRESS:
            continue
        choices = tuple(str(one) for one in action.choices or ())
        if isinstance(action, argparse._SubParsersAction):
            helps = {one.dest: one.help or "" for one in action._choices_actions}
            for name, sub in action.choices.items():
                below.append((name, _line(helps.get(name, ""))))
                parsers.append((name, sub, _line(helps.get(name, ""))))
        elif action.option_strings:
            takes = action.nargs != 0
            flags.append(
                Flag(names=tuple(action.option_strings), help=_line(action.help or ""), takes=takes, choices=choices)
            )
        else:
            below += [(one, "") for one in choices]
    yield Command(words=words, help=about, flags=tuple(flags), below=tuple(below))
    for name, sub, said in parsers:
        yield from commands_of(sub, (*words, name), said)


def _line(text: str) -> str:
    """Return the first part of a help text, without what a shell would read as its own."""
    kept = text.replace("%%", "%").partition(";")[0]
    return "".join(" " if char in "\\`$'\"[]\n" else char for char in kept).strip()[:70]


def _key(command: Command) -> str:
    return " ".join(command.words)


def _bash(commands: list[Command]) -> str:
    """Return a script for bash 4 and later; files are offered where nothing else fits."""
    lines = ["# bash completion for sbomgate, made by `sbomgate completion bash`", "_sbomgate() {"]
    lines += [
        '  local current="${COMP_WORDS[COMP_CWORD]}" previous="${COMP_WORDS[COMP_CWORD-1]}" at="" word i',
        "  COMPREPLY=()",
        "  for ((i = 1; i < COMP_CWORD; i++)); do",
        '    word="${COMP_WORDS[i]}"',
        '    case "$at $word" in',
    ]
    for command in commands[1:]:
        before = " ".join(command.words[:-1])
        lines.append(f'      "{before} {command.words[-1]}") at="{_key(command)}" ;;')
    lines += ["    esac", "  done", '  local below="" flags="" values=""', '  case "$at" in']
    for command in commands:
        names = " ".join(name for flag in command.flags for name in flag.names)
        lines.append(f'    "{_key(command)}")')
        lines.append(f'      below="{" ".join(word for word, _ in command.below)}" flags="{names}"')
        chosen = [flag for flag in command.flags if flag.takes]
        if chosen:
            lines.append('      case "$previous" in')
            for flag in chosen:
                said = " ".join(flag.choices) or "-"
                lines.append(f'        {"|".join(flag.names)}) values="{said}" ;;')
            lines.append("      esac")
        lines.append("      ;;")
    lines += [
        "  esac",
        '  if [[ "$values" == "-" ]]; then local IFS=$\'\\n\'; COMPREPLY=($(compgen -f -- "$current"))',
        '  elif [[ -n "$values" ]]; then COMPREPLY=($(compgen -W "$values" -- "$current"))',
        '  elif [[ "$current" == -* ]]; then COMPREPLY=($(compgen -W "$flags" -- "$current"))',
        '  elif [[ -n "$below" ]]; then COMPREPLY=($(compgen -W "$below" -- "$current"))',
        "  else local IFS=$'\\n'; COMPREPLY=($(compgen -f -- \"$current\")); fi",
        "}",
        "complete -o filenames -F _sbomgate sbomgate",
    ]
    return "\n".join(lines) + "\n"


def _zsh(commands: list[Command]) -> str:
    """Return a script for zsh's completion system, to be autoloaded or sourced."""
    lines = ["#compdef sbomgate", "# made by `sbomgate completion zsh`", "", "_sbomgate() {"]
    lines += [
        '  local at="" word i',
        "  for ((i = 2; i < CURRENT; i++)); do",
        "    word=$words[i]",
        '    case "$at $word" in',
    ]
    for command in commands[1:]:
        before = " ".join(command.words[:-1])
        lines.append(f'      "{before} {command.words[-1]}") at="{_key(command)}" ;;')
    lines += ["    esac", "  done", "  local -a below flags", '  case "$at" in']
    for command in commands:
        lines.append(f'    "{_key(command)}")')
        lines.append(f"      below=({' '.join(_pair(word, said) for word, said in command.below)})")
        pairs = [_pair(name, flag.help) for flag in command.flags for name in flag.names]
        lines.append(f"      flags=({' '.join(pairs)})")
        chosen = [flag for flag in command.flags if flag.takes]
        if chosen:
            lines.append("      case $words[CURRENT-1] in")
            for flag in chosen:
                offer = f"compadd -- {' '.join(flag.choices)}" if flag.choices else "_files"
                lines.append(f"        {'|'.join(flag.names)}) {offer}; return ;;")
            lines.append("      esac")
        lines.append("      ;;")
    lines += [
        "  esac",
        "  if [[ $words[CURRENT] == -* ]]; then _describe -o 'option' flags",
        "  elif (( $#below )); then _describe 'command' below",
        "  else _files; fi",
        "}",
        "",
        'if [[ "$funcstack[1]" == "_sbomgate" ]]; then _sbomgate "$@"; else compdef _sbomgate sbomgate; fi',
    ]
    return "\n".join(lines) + "\n"


def _pair(word: str, said: str) -> str:
    return f"'{word}:{said.replace(':', ' ')}'" if said else f"'{word}'"


def _fish(commands: list[Command]) -> str:
    """Return a script for fish 3 and later."""
    lines = ["# made by `sbomgate completion fish`"]
    verbs = " ".join(word for word, _ in commands[0].below)
    for command in commands:
        when = _when(command, verbs, commands)
        start = f'complete -c sbomgate -n "{when}"'
        if command.below:
            lines.append(f"{start} -f")
        for word, said in command.below:
            lines.append(f"{start} -a {word}" + (f" -d '{said}'" if said else ""))
        seen = start if not command.words else f'complete -c sbomgate -n "{_seen(command)}"'
        for flag in command.flags:
            names = " ".join(f"-l {name[2:]}" if name.startswith("--") else f"-s {name[1:]}" for name in flag.names)
            value = f" -x -a '{' '.join(flag.choices)}'" if flag.choices else " -r" if flag.takes else ""
            lines.append(f"{seen} {names}{value}" + (f" -d '{flag.help}'" if flag.help else ""))
    return "\n".join(lines) + "\n"


def _seen(command: Command) -> str:
    return "; and ".join(f"__fish_seen_subcommand_from {word}" for word in command.words)


def _when(command: Command, verbs: str, commands: list[Command]) -> str:
    if not command.words:
        return f"not __fish_seen_subcommand_from {verbs}"
    below = " ".join(word for word, _ in command.below)
    has_actions = any(other.words[:-1] == command.words for other in commands if other.words)
    return _seen(command) + (f"; and not __fish_seen_subcommand_from {below}" if has_actions else "")
