"""Evidence: what a decision leaves behind, where it is kept, and what it is worth at deploy time.

- `record`: one decision's evidence as a value, and the OCI manifests that it becomes. Pure.
- `layout`: the store on disk, one OCI image layout per build. A registry becomes another file beside it.
- `pending`: decisions that were made and are not signed yet; nobody but `gate --resume` reads them.
- `verify`: whether evidence allows a deployment, by the trust file. Pure.
- `baseline`: the newest accepted evidence of a project. Pure but for reading through `layout`.

This package reads decisions (`decision`) and verifies signatures (`signing.verify`): evidence is what those two wrote.
"""
