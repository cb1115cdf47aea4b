"""Which builds hold it: what the SBOMs of all builds say, as Parquet, derived from evidence and made again at any time.

    INVENTORY/
      segments.json            which segments count; replaced as a whole: the commit point of a compaction
      segments/000001.parquet  rows of many builds, sorted by name, version, build
      segments/000001.spans.parquet  which of them hold which version, and nothing else (`rows.SPAN_COLUMNS`)
      delta/<key>.parquet      the rows of one build; its name is the commit point
      amended.jsonl            what was signed about decisions after them: revoked, overridden
      deployed.jsonl           what was deployed where and when: the one thing here that is nowhere else

`rows` makes rows of an SBOM, `folder` keeps them, `engines` run the SQL that `terms` and `answers` write, `sweep`
judges all of them by a list. Nothing here is signed: an answer names the digest of the evidence that it comes from,
and `inventory rebuild` makes the rows again.
"""
