#!/usr/bin/python3
"""Markdown lint: one sentence a line, and no line over 120 columns, so that a difference shows the sentence that changed.

Reads all Markdown that git tracks (or that lies below the folder, where there is no git). Tables, fenced blocks and lines that are nothing but a link are
left alone. --self-test plants breaches of each kind, and text that looks like one, and fails if one of them is judged wrongly.
"""

import pathlib
import re
import shutil
import subprocess
import sys

WIDTH = 120
FENCE = re.compile(r"^ *(```|~~~)")
MARKER = re.compile(r"^ *(?:[-*+]|\d+[.)]) +")
# What is one word whatever stands in it: code and links.
WHOLE = re.compile(r"(`+)(?:(?!\1).)+\1|\[[^\]]*\]\([^)]*\)|<https?:[^>]*>")
# "**Why.** Because ...": a word or two that stand before a paragraph are no sentence.
LEAD = re.compile(r"^\*\*[^*]{1,40}\*\*(?= )")
END = re.compile(r"[.!?…][)\]\"'*_]*(?= +(\S+))")
ABBREVIATION = re.compile(r"(?:^|[\s(])(?:e\.g|i\.e|etc|cf|vs|resp|approx|ca|no|p|pp|sec|fig|St|Dr)\.$", re.I)
# A sentence begins with a capital, a figure, a mark or code; or with a name that is written small.
SMALL_NAME = re.compile(r"(byway|lib[a-z]|ldns|systemd|jansson|cmocka|glibc|git\b|dnsmasq|qmail)")
BARE_LINK = re.compile(r"^ *(?:[-*+] +)?(?:<?https?://\S+>?|\[[^\]]*\](?:\(\S+\)|: \S+))[.,;]?$")


def masked(text):
    """The text, of the same length, without anything in it that could look like the end of a sentence and is none."""
    text = WHOLE.sub(lambda match: match.group()[0] + "X" * (len(match.group()) - 2) + match.group()[-1], text)
    return LEAD.sub(lambda match: "X" * len(match.group()), text)


def sentence_ends(text):
    """Where in `text`, a list item's without its marker, a sentence ends and another begins."""
    text, ends = masked(text), []
    for match in END.finditer(text):
        following = match.group(1).lstrip("([\"'*_")
        if ABBREVIATION.search(text[:match.start() + 1]) or not following:
            continue
        if following[0].islower() and not SMALL_NAME.match(following):
            continue
        if match.group()[0] == "…" and not following[0].isupper():
            continue
        ends.append(match.end())
    return ends


def breaches_in(text):
    """(line number, what is wrong with it) of a file's text."""
    found, fenced = [], False
    for number, line in enumerate(text.splitlines(), 1):
        if FENCE.match(line):
            fenced = not fenced
        if fenced or FENCE.match(line) or line.lstrip().startswith("|") or BARE_LINK.match(line):
            continue
        if len(line) > WIDTH:
            found.append((number, f"{len(line)} columns: break it at a clause, {WIDTH} at most"))
        if not line.startswith("#"):
            body = MARKER.sub("", line.strip())
            found += [(number, f"a sentence ends and another begins: … {body[max(0, end - 25):end + 15]} …")
                      for end in sentence_ends(body)]
    return found


def files_below(root):
    if shutil.which("git"):
        listed = subprocess.run(["git", "-C", str(root), "ls-files", "*.md"], capture_output=True, text=True, check=False)
        if listed.returncode == 0 and listed.stdout:
            return [root / name for name in listed.stdout.splitlines() if (root / name).exists()]
    return sorted(path for path in root.rglob("*.md") if not path.relative_to(root).parts[0].startswith("build"))


def self_test():
    wide = "word " * 30
    good = [
        "One sentence, in one line.",
        "# A heading. With two parts",
        "| a table. It may | be as wide as it likes. Yes. " + wide,
        "```\nfenced. Anything goes. " + wide + "\n```",
        "1. An item with a number.",
        "- An item, e.g. this one, i.e. Two, cf. RFC 1035, 4.2.2.",
        "**Why.** Because it is short.",
        "It is the root, `. NS`, or `a. B`, that `--check` wants.",
        "An entry for `.` does not claim them.",
        "They are silent, fail, … and come back.",
        "https://example.org/" + "a" * 150,
        "- [a long name](https://example.org/" + "a" * 150 + ")",
        "See [what. Why](a.md) and version 0.1.0 of it.",
        "zone names end so: example. and then go on.",
    ]
    bad = [
        ("One sentence. Another.", "another begins"),
        ("One sentence (with more.) Another.", "another begins"),
        ("- Does it? It does.", "another begins"),
        ("It ends here. `zones` begins.", "another begins"),
        ("It ends here. byway goes on.", "another begins"),
        ("It ends here. 3,000 are left.", "another begins"),
        ("It ends in `code`. [A link](b.md) follows.", "another begins"),
        ("**Why.** Because. And more.", "another begins"),
        ("It is **strong.** Yes.", "another begins"),
        (wide, "150 columns"),
        ("# " + wide, "columns"),
        ("```\nfenced\n```\nOne. Two.", "another begins"),
    ]
    failures = [f"{text[:60]!r}: no breach, but reported {found}" for text in good if (found := breaches_in(text))]
    failures += [f"{text[:60]!r}: {wanted!r} not reported" for text, wanted in bad
                 if not any(wanted in what for _, what in breaches_in(text))]
    for failure in failures:
        print(f"self-test: {failure}")
    return 1 if failures else 0


def main():
    if sys.argv[1:] == ["--self-test"]:
        return self_test()
    if len(sys.argv) != 2:
        print("usage: markdown.py FOLDER | --self-test", file=sys.stderr)
        return 2
    root, count = pathlib.Path(sys.argv[1]), 0
    files = files_below(root)
    for path in files:
        for number, what in breaches_in(path.read_text()):
            print(f"{path.relative_to(root)}:{number}: {what}")
            count += 1
    print(f"markdown: {len(files)} files, {count} breaches")
    return 1 if count or not files else 0


if __name__ == "__main__":
    sys.exit(main())
