"""The page that every HTML report is: one file that fetches nothing, readable without a script, printable.

The policy of the page (CSP) allows exactly this style sheet and this script, each by its digest: whatever else should
ever stand in the page is not run, not shown and not fetched.
"""

from __future__ import annotations

import base64
import hashlib
from datetime import datetime

from sbomgate.report._markup import Content, Html, tag

_STYLE = """
:root{color-scheme:light dark;--ink:#1c2430;--soft:#566173;--paper:#fff;--wash:#f4f6f9;--line:#d5dbe4;
 --link:#0b57b0;--good:#1b7f46;--bad:#b3261e;--warn:#9a5b00;--note:#4a6079;--p0:#6b7f9c;--p1:#a9b6c9;
 --p2:#c78b3c;--p3:#b3564f;--p4:#8a8fa8}
@media (prefers-color-scheme:dark){:root{--ink:#e5eaf1;--soft:#a3afc0;--paper:#12161c;--wash:#1b212a;
 --line:#343d4a;--link:#86b7ff;--good:#5cc98b;--bad:#ff8a80;--warn:#f0b458;--note:#a9bdd6;--p0:#7f95b5;
 --p1:#55647a;--p2:#c78b3c;--p3:#c96a62;--p4:#70758f}
}
*{box-sizing:border-box}
html{-webkit-text-size-adjust:100%}
body{margin:0;overflow-wrap:anywhere;background:var(--paper);color:var(--ink);
 font:16px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,
 "Liberation Sans",sans-serif}
main{max-width:62rem;margin:0 auto;padding:1.5rem 1.25rem 4rem}
a{color:var(--link)}
a:focus-visible,summary:focus-visible,input:focus-visible,[tabindex]:focus-visible{
 outline:3px solid var(--link);outline-offset:2px}
.skip{position:absolute;left:-100rem}
.skip:focus{left:1rem;top:1rem;background:var(--paper);padding:.5rem 1rem}
h1{font-size:1.7rem;line-height:1.25;margin:.25rem 0}
h2{font-size:1.3rem;margin:2.75rem 0 .75rem;padding-top:1rem;border-top:2px solid var(--line)}
h3{font-size:1.05rem;margin:1.75rem 0 .5rem}
h4{font-size:1rem;margin:0}
p{margin:.4rem 0}
code,pre,.mono{font-family:ui-monospace,"SF Mono",Menlo,Consolas,"Liberation Mono",monospace;font-size:.86em}
pre{background:var(--wash);border:1px solid var(--line);border-radius:6px;padding:.75rem;white-space:pre-wrap}
.soft{color:var(--soft)}
.small{font-size:.88rem}
.verdict{border:1px solid var(--line);border-left:10px solid var(--note);border-radius:8px;
 background:var(--wash);padding:1rem 1.25rem;margin:1rem 0}
.verdict>b{font-size:1.5rem;display:block;line-height:1.3}
.verdict ul{margin:.4rem 0 0;padding-left:1.2rem}
.verdict.allowed{border-left-color:var(--good)}
.verdict.allowed>b{color:var(--good)}
.verdict.denied{border-left-color:var(--bad)}
.verdict.denied>b{color:var(--bad)}
.alarm{border:2px solid var(--warn);border-radius:8px;padding:.6rem 1rem;margin:1rem 0}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,15rem),1fr));gap:.75rem;margin:.75rem 0;
 padding:0;list-style:none}
.tiles li{border:1px solid var(--line);border-radius:8px;padding:.6rem .8rem}
.tiles b{display:block;font-size:1.6rem;line-height:1.2}
.tiles a{color:inherit}
th[scope=row]{min-width:11rem}
td{min-width:5.6rem}
td code[title],.day{white-space:nowrap}
dl.facts{display:grid;grid-template-columns:max-content 1fr;gap:.2rem 1rem;margin:.75rem 0}
dl.facts dt{color:var(--soft)}
dl.facts dd{margin:0}
table{border-collapse:collapse;width:100%;margin:.5rem 0;font-size:.93rem}
th,td{text-align:left;vertical-align:top;padding:.35rem .6rem;border-bottom:1px solid var(--line)}
thead th{overflow-wrap:normal;border-bottom:2px solid var(--line)}
th p{font-weight:400}
td ul{margin:0;padding-left:1.1rem}
td.number,th.number{text-align:right}
.card{border:1px solid var(--line);border-left:6px solid var(--note);border-radius:8px;padding:.7rem 1rem;
 margin:.75rem 0;break-inside:avoid}
.card.deny{border-left-color:var(--bad)}
.card.warn{border-left-color:var(--warn)}
.card.waived{border-left-style:double}
.card ul{margin:.4rem 0;padding-left:1.2rem}
.todo{font-weight:600}
.badge{display:inline-block;border:1px solid currentColor;border-radius:999px;padding:0 .55rem;font-size:.78rem;
 font-weight:600;margin-right:.4rem;white-space:nowrap}
.badge.deny{color:var(--bad)}
.badge.warn{color:var(--warn)}
.badge.note,.badge.waived{color:var(--note)}
.badge.allowed{color:var(--good)}
.badge.denied{color:var(--bad)}
.scroll{overflow-x:auto;border:1px solid var(--line);border-radius:8px;padding:.75rem}
svg{display:block;max-width:none}
svg text{fill:var(--ink);font:12px ui-monospace,Menlo,Consolas,"Liberation Mono",monospace}
.columns text,.plot text{font-family:system-ui,"Liberation Sans",sans-serif}
.edge,.line{fill:none;stroke:var(--soft);stroke-width:1.3}
.line{stroke:var(--link);stroke-width:2}
.now{fill:none;stroke:var(--ink);stroke-dasharray:4 3}
.soon{fill:var(--warn)}
.ended{fill:var(--p1)}
.axis,.grid{fill:none;stroke:var(--line)}
.node rect{fill:var(--wash);stroke:var(--soft)}
.node.deny rect{stroke:var(--bad);stroke-width:2.5}
.node.warn rect{stroke:var(--warn);stroke-width:2}
.node.waived rect{stroke-dasharray:4 2}
circle.allowed{fill:var(--good)}
circle.denied{fill:var(--bad)}
circle.value{fill:var(--link)}
.parts{width:100%;border-radius:4px}
.good{fill:var(--good);background:var(--good)}
.part0{fill:var(--p0);background:var(--p0)}
.part1{fill:var(--p1);background:var(--p1)}
.part2{fill:var(--p2);background:var(--p2)}
.part3{fill:var(--p3);background:var(--p3)}
.part4{fill:var(--p4);background:var(--p4)}
figure{margin:.4rem 0 1rem}
.legend{list-style:none;display:flex;flex-wrap:wrap;gap:.1rem 1.25rem;padding:0;margin:.35rem 0;font-size:.9rem}
.swatch{display:inline-block;width:.75em;height:.75em;border-radius:2px;margin-right:.4em;
 border:1px solid var(--line)}
.filter{display:flex;flex-wrap:wrap;gap:.5rem 1.25rem;align-items:center;margin:.75rem 0}
.filter input[type=search]{font:inherit;padding:.35rem .6rem;min-width:16rem;border:1px solid var(--soft);
 border-radius:6px;background:var(--paper);color:var(--ink)}
[hidden]{display:none!important}
:target{background:var(--wash);outline:2px solid var(--link)}
summary{cursor:pointer;padding:.25rem 0}
@media (max-width:40rem){main{padding:1rem .8rem 3rem}
dl.facts{grid-template-columns:1fr;gap:0}
dl.facts dd{margin-bottom:.5rem}
.filter input[type=search]{min-width:100%}
table.wide thead{display:none}
table.wide tr,table.wide td,table.wide th{display:block;border:0;padding:.1rem 0}
table.wide tr{border-bottom:1px solid var(--line);padding:.5rem 0}
table.wide td:empty{display:none}
table.wide td::before{content:attr(data-is)": ";color:var(--soft)}
}
.paper{display:none}
@page{margin:16mm 14mm}
@media print{:root{color-scheme:light;--ink:#000;--soft:#444;--paper:#fff;--wash:#fff;--line:#999;--link:#000;
 --good:#14632f;--bad:#a11;--warn:#7a4700;--note:#333;--p0:#6b7f9c;--p1:#a9b6c9;--p2:#c78b3c;--p3:#b3564f;
 --p4:#8a8fa8}
body{font-size:10pt;line-height:1.4}
main{max-width:none;padding:0}
h3{margin:.7rem 0 .2rem}
.verdict,.alarm{margin:.4rem 0;padding:.3rem 1rem}
ul{margin:.3rem 0}
dl.facts{gap:0 1rem;margin:.5rem 0}
.tiles{grid-template-columns:repeat(4,1fr);gap:.4rem}
.tiles li{padding:.15rem .5rem;font-size:8.5pt}
.tiles b{font-size:1.3rem}
.filter,.skip,.screen{display:none!important}
.paper{display:block}
h2{break-before:page;border-top:0;margin-top:0}
h2.first{break-before:auto}
h3,h4{break-after:avoid}
tr,figure,.verdict,.tiles li{break-inside:avoid}
a{text-decoration:none}
details::details-content{content-visibility:visible;height:auto}
.scroll{overflow:visible;border:0;padding:0}
svg{max-width:100%;height:auto}
.parts,.good,.part0,.part1,.part2,.part3,.part4{print-color-adjust:exact;-webkit-print-color-adjust:exact}
}
""".strip()

# Shows and hides what is in the page already: it adds nothing, reads nothing else, and the page is whole without it.
_SCRIPT = """
(function(){"use strict";document.querySelectorAll("form.filter").forEach(function(form){
var box=document.getElementById(form.dataset.of),cards=Array.from(box.querySelectorAll("[data-level]")),
find=form.querySelector("input[type=search]"),levels=Array.from(form.querySelectorAll("input[type=checkbox]")),
said=form.querySelector("output");
function apply(){var words=find.value.toLowerCase().split(/\\s+/).filter(Boolean),
on=levels.filter(function(one){return one.checked}).map(function(one){return one.value}),shown=0;
cards.forEach(function(card){var text=card.textContent.toLowerCase(),
fits=on.indexOf(card.dataset.level)>=0&&words.every(function(word){return text.indexOf(word)>=0});
card.hidden=!fits;if(fits){shown+=1}});
box.querySelectorAll("section").forEach(function(one){one.hidden=!one.querySelector("[data-level]:not([hidden])")});
box.querySelectorAll("details").forEach(function(one){if(words.length){one.open=true}});
said.textContent=shown+" of "+cards.length+" shown"}
form.addEventListener("input",apply);form.addEventListener("submit",function(event){event.preventDefault()});
form.hidden=false;apply()})})();
""".strip()


def document(title: str, *content: Content) -> str:
    """Return the whole page, ending in a newline.

    Args:
        title: of the window.
        content: of the page.
    """
    allowed = (
        f"default-src 'none'; style-src '{_digest(_STYLE)}'; script-src '{_digest(_SCRIPT)}'; "
        "base-uri 'none'; form-action 'none'"
    )
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        # A digest holds no character that escaping would change, and the quotes are escaped as everywhere.
        tag("meta", http_equiv="Content-Security-Policy", content=allowed),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="referrer", content="no-referrer"),
        tag("meta", name="robots", content="noindex"),
        tag("title", title),
        tag("style", Html(_STYLE)),
    )
    body = tag(
        "body",
        tag("a", "Skip to the content", href="#content", class_="skip"),
        tag("main", *content, id="content"),
        tag("script", Html(_SCRIPT)),
    )
    return f"<!DOCTYPE html>\n{tag('html', head, body, lang='en')}\n"


def _digest(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def day(time: datetime) -> Html:
    """Return a date that is not broken at the end of a line."""
    return tag("span", f"{time:%Y-%m-%d}", class_="day")


def facts(*rows: tuple[str, Content]) -> Html:
    """Return a list of names and values; what is None or empty is left out."""
    return tag("dl", [(tag("dt", name), tag("dd", value)) for name, value in rows if value], class_="facts")


def table(columns: tuple[str, ...], rows: list[tuple[Content, ...]], *, caption: str = "", wide: bool = True) -> Html:
    """Return a table whose first column names the row; `wide` for one that a narrow screen shows row below row."""
    head = tag("thead", tag("tr", [tag("th", name, scope="col") for name in columns]))
    named = columns if wide else (None,) * len(columns)  # there is no head above a row that stands alone
    body = [
        tag(
            "tr",
            tag("th", row[0], scope="row"),
            [tag("td", cell, data_is=name) for name, cell in zip(named[1:], row[1:], strict=True)],
        )
        for row in rows
    ]
    return tag(
        "table",
        tag("caption", caption, class_="soft small") if caption else None,
        head,
        tag("tbody", body),
        class_="wide" if wide else None,
    )
