"""Where the C sources can be mutated: each site is one change of one token, or one statement left out.

What the reader of the program sees only as words (comments, strings, log texts) is no site, nor are preprocessor lines and assertions.
"""

import re

COMPARED = {"<": "<=", "<=": "<", ">": ">=", ">=": ">", "==": "!=", "!=": "=="}
SWAPPED = {"&&": "||", "||": "&&", "+": "-", "-": "+", "+=": "-=", "-=": "+=", "++": "--", "--": "++"}
SILENT = r"assert|static_assert|_Static_assert|LOG\w*|log_\w+|UNREACHABLE"

TOKEN = re.compile(r"""(?P<number>0[xX][0-9a-fA-F]+|\d+)(?P<suffix>[uUlL]*)(?![\w.])|(?P<word>[A-Za-z_]\w*)
    |(?P<op><<=|>>=|\.\.\.|->|\+\+|--|<<|>>|<=|>=|==|!=|&&|\|\||[-+*/%&|^]=|[-+*/%&|^~!<>=?:;,.(){}\[\]])""", re.X)
STATEMENT = re.compile(r"""(?P<call>\w+(?:(?:->|\.)\w+)*\s*\()|\*?\(?\*?\w+[^;=(]*?(?<![=!<>])(?:[-+*/%&|^]|<<|>>)?=(?!=)
    |\*?\w[^;=(]*(?:\+\+|--)\s*$""", re.X)
DECLARED = re.compile(r"\s*(?:static |const |struct |enum |union |unsigned |\w+ +\**\w+\s*(?:=|\[|;|,)|\w+ \*\w)")
KEYWORDS = {"if", "while", "for", "switch", "return", "goto", "do", "else", "case", "default", "sizeof", "break", "continue"}
ENUM = re.compile(r"\benum\b\s*\w*\s*\{([^{}]*)\}")


class Site:
    """One mutation: `text[start:end]` becomes `new`."""

    def __init__(self, name, text, start, end, new, what=None):
        self.name, self.start, self.end, self.new = name, start, end, new
        self.line = text.count("\n", 0, start) + 1
        self.column = start - text.rfind("\n", 0, start)
        old = " ".join(text[start:end].split())
        self.what = what.format(old) if what else f"{old} → {new}"
        self.source = text.splitlines()[self.line - 1].strip()

    def apply(self, text):
        return text[:self.start] + self.new + text[self.end:]


def blank(text, start, end):
    return text[:start] + re.sub(r"[^\n]", " ", text[start:end]) + text[end:]


def closing(text, start):
    """The index of the parenthesis that closes the one at `start`, or -1."""
    depth = 0
    for index in range(start, len(text)):
        depth += {"(": 1, ")": -1}.get(text[index], 0)
        if depth == 0:
            return index
    return -1


def mask(text):
    """`text` with all that is not to be mutated blanked; every other byte is in its place."""
    words = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)
    text = words.sub(lambda m: re.sub(r"[^\n]", " ", m.group()) if m.group()[0] == "/" else '"' + re.sub(r"[^\n]", " ", m.group()[2:]) + '"', text)
    for match in re.finditer(r"^[ \t]*#(?:[^\n]*\\\n)*[^\n]*", text, re.M):
        text = blank(text, *match.span())
    for match in re.finditer(rf"\b(?:{SILENT})\s*(?=\()", text):
        end = closing(text, match.end())
        if end > 0:
            text = blank(text, match.start(), end + 1)
    return text


def neighbours(texts):
    """Each constant of an enum, and the one that stands next to it."""
    found = {}
    for text in texts:
        for match in ENUM.finditer(mask(text)):
            names = [part.split("=")[0].strip() for part in match.group(1).split(",")]
            names = [name for name in names if re.fullmatch(r"[A-Z]\w+", name)]
            for index, name in enumerate(names):
                if len(names) > 1:
                    found[name] = names[index + 1] if index + 1 < len(names) else names[index - 1]
    return found


def statements(text, masked):
    """The spans of the statements in function bodies that are a call or an assignment."""
    for match in re.finditer(r"(?<=[;{})])\s*\n\s*(?=[\w*(])|\belse\s+(?=[\w*])", masked):
        start = match.end()
        end = masked.find(";", start)
        body = masked[start:end]
        word = re.match(r"\w*", body).group()
        # Functions begin in the first column: what is not indented is a declaration.
        if end < 0 or masked[start - 1] == "\n" or word in KEYWORDS or DECLARED.match(body + ";") or body.count("{") != body.count("}"):
            continue
        made = STATEMENT.match(body)
        if made and (not made.group("call") or closing(masked, masked.find("(", start)) >= end - 1 or "=" in body):
            yield start, end


def is_binary(masked, start):
    """Whether the + or - at `start` has something to its left."""
    before = masked[:start].rstrip()
    return bool(before) and (before[-1] in ")]\"" or bool(re.search(r"\w$", before)) and not re.search(r"\b(?:return|case|else)$", before))


def sites_of(name, text, constants):
    """All the sites of the file `name`, in their order."""
    masked, found = mask(text), []
    enums = [match.span(1) for match in ENUM.finditer(masked)]

    def add(start, end, new, what=None):
        found.append(Site(name, text, start, end, new, what))

    for match in TOKEN.finditer(masked):
        start, end = match.span()
        token = match.group()
        if match.lastgroup == "suffix":
            number, hexadecimal = match.group("number"), match.group("number")[:2].lower() == "0x"
            value = int(number, 16 if hexadecimal else 10) + 1
            add(start, end, (f"{value:#x}" if hexadecimal else str(value)) + match.group("suffix"))
        elif token in ("true", "false"):
            add(start, end, "false" if token == "true" else "true")
        elif token in ("break", "continue"):
            add(start, end, "", "{} left out")
        elif token in ("if", "while"):
            opening = masked.find("(", end)
            shut = closing(masked, opening)
            add(opening, shut + 1, f"(!{text[opening:shut + 1]})", token + " {} negated")
        elif token in COMPARED and (token not in "<>" or masked[start - 1] == masked[end] == " "):
            add(start, end, COMPARED[token])
        elif token in SWAPPED and (token not in "+-" or is_binary(masked, start)):
            add(start, end, SWAPPED[token])
        elif token == "!":
            add(start, end, "", "! before " + masked[end:end + 20].split("\n")[0].replace("{", "{{").replace("}", "}}") + " left out")
        elif token in constants and not any(first <= start < last for first, last in enums):
            add(start, end, constants[token])
    for start, end in statements(text, masked):
        add(start, end, "", "“{}” left out")
    return sorted(found, key=lambda site: (site.start, site.end, site.new))
