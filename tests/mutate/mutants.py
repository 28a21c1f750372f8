# The changes that a line of C may suffer: operators, bounds, constants, calls.
#
# A change is a place in the text and what stands there instead. Sources are clang-formatted, so that a binary operator
# has a blank on each side and a pointer's star has not; what is wrong all the same does not compile and is drawn again.
# Comments, strings, the preprocessor's lines and contracts (assert, which tests of contracts trip one by one) are left.
#
# SPDX-License-Identifier: GPL-3.0-or-later
"""changes(text) lists the Change values of a C source."""
import re
from collections import namedtuple

Change = namedtuple("Change", "kind start end new line")  # kind: operator, bound, constant or call

BOUNDS = {"<": ("<=", ">="), "<=": ("<", ">"), ">": (">=", "<="), ">=": (">", "<"), "==": ("!=",), "!=": ("==",)}
OPERATORS = {
    "+": ("-",), "-": ("+",), "*": ("/",), "/": ("*",), "%": ("*",), "&&": ("||",), "||": ("&&",), "&": ("|",),
    "|": ("&",), "<<": (">>",), ">>": ("<<",), "+=": ("-=",), "-=": ("+=",), "*=": ("/=",), "/=": ("*=",),
}
SWAPPED = {"fmin": "fmax", "fmax": "fmin", "floor": "ceil", "ceil": "floor", "true": "false", "false": "true"}

BINARY = re.compile(r"(?<= )(?:<=|>=|==|!=|&&|\|\||<<|>>|\+=|-=|\*=|/=|[<>+\-*/%&|])(?=[ \n])")
NUMBER = re.compile(r"(?<![\w.\"'])(\d+\.\d*(?:e[+-]?\d+)?|\d+e[+-]?\d+|\d+)([uUlL]*)(?![\w.])")
WORD = re.compile(r"\b(?:fmin|fmax|floor|ceil|true|false)\b")
STATEMENT = re.compile(r"(?m)^( +)([a-z_]\w*)\((?:.*)\);$")
CONDITION = re.compile(r"(?m)\b(?:if|while) \((.*)\)(?: \{)?$")
ARRAY = re.compile(r"^\s*(?:static |const |unsigned |struct )*\w+ \*?\w+\[[^\]]*\](?:;|,| = )")
# A column of a place without a line, which is never said.
NO_PLACE = re.compile(r"rc_fail_at\([^;]*?,\s*0,\s*(0),")
ROOM = re.compile(r"\b(?:malloc|calloc|realloc)\(")
# The first room of a list that grows, as a number or the name of one: another one holds as much.
FIRST_ROOM = re.compile(r"\b(?:\w+_)?(?:room|cap)\w*(?: > 0)? \? (?:2 \* [\w>.*-]+|[\w>.*-]+ \* 2) : (\w+)\b")
# The lesser or greater of two, which are the same where they are equal.
OPERAND = r"([\w.>\[\]-]+(?:\([^()?]*\))?(?: [+\-*/] [\w.>\[\]-]+)?)"
OF_TWO = re.compile(r"(?<![\w.>\]])(?<![+*/%-] )" + OPERAND + r" ([<>]) " + OPERAND + r" \? (?:\(\w+\))?\1 : (?:\(\w+\))?\3(?=\s*[;,)\]])")
# The same where it is set: `if (v > most)` and, alone on the next line, `most = v;`.
KEPT = re.compile(r"if \(" + OPERAND + r" ([<>]) " + OPERAND + r"\)\n +(?:\1 = \3|\3 = \1);\n")
# What these leave undone is seen by no test but a leak checker, or by none.
UNSEEN_CALLS = re.compile(r"^(?:free|fclose|close|\w*_(?:free|close|destroy|release|unlock|flush)|assert|va_\w+|return|sizeof|fflush)$")


def hidden(text):
    """A bytearray with 1 where a character is no code to change."""
    mask = bytearray(len(text))
    i, n = 0, len(text)

    def hide(a, b):
        mask[a:b] = b"\x01" * (b - a)

    while i < n:
        c = text[i]
        if text.startswith("/*", i):
            j = text.find("*/", i + 2)
            j = n if j < 0 else j + 2
        elif text.startswith("//", i):
            j = text.find("\n", i)
            j = n if j < 0 else j
        elif c in "\"'":
            j = i + 1
            while j < n and text[j] != c:
                j += 2 if text[j] == "\\" else 1
            j += 1
        elif c == "#" and (i == 0 or text[text.rfind("\n", 0, i) + 1:i].strip() == ""):
            j = i
            while True:
                j = text.find("\n", j)
                if j < 0:
                    j = n
                    break
                if text[j - 1] != "\\":
                    break
                j += 1
        elif re.match(r"(?:static_)?assert\(|_Static_assert\(", text[i:i + 16]) and not (i and (text[i - 1].isalnum() or text[i - 1] == "_")):
            j, depth = text.index("(", i), 0
            while j < n:
                depth += (text[j] == "(") - (text[j] == ")")
                j += 1
                if depth == 0:
                    break
        else:
            i += 1
            continue
        hide(i, j)
        i = j
    return mask


def other_numbers(digits, suffix):
    """What a number becomes: one more, one less; a real number 1.5 times itself."""
    if re.search(r"[.e]", digits):
        value = float(digits)
        return ["1.0" if value == 0 else repr(value * 1.5)]
    if len(digits) > 1 and digits[0] == "0":
        return []
    value = int(digits)
    return [f"{v}{suffix}" for v in (value + 1, value - 1) if v >= 0]


def changes(text):
    mask = hidden(text)
    first_rooms = [m.group(1) for m in FIRST_ROOM.finditer(text)]
    named = [re.compile(rf"\b{name} = (\d+)\b") for name in first_rooms if not name.isdigit()]
    for pattern in (NO_PLACE, FIRST_ROOM, *named):
        for m in pattern.finditer(text):
            mask[m.start(1):m.end(1)] = b"\x01" * (m.end(1) - m.start(1))
    found = []

    def add(kind, start, end, new):
        if not any(mask[start:end]):
            found.append(Change(kind, start, end, new, text.count("\n", 0, start) + 1))

    of_two = {m.start(2) for pattern in (OF_TWO, KEPT) for m in pattern.finditer(text)}
    for m in BINARY.finditer(text):
        old = m.group()
        for new in BOUNDS.get(old, ()):
            if m.start() in of_two and new == old + "=":
                continue
            add("bound", m.start(), m.end(), new)
        for new in OPERATORS.get(old, ()):
            add("operator", m.start(), m.end(), new)
    for m in NUMBER.finditer(text):
        line = text[text.rfind("\n", 0, m.start()) + 1:text.find("\n", m.end())]
        if ARRAY.match(line): # the size of a buffer: more is as good
            continue
        numbers = other_numbers(m.group(1), m.group(2))
        for new in numbers[1:] if ROOM.search(line) else numbers: # more room is as good
            add("constant", m.start(), m.end(), new)
    for m in WORD.finditer(text):
        kind = "constant" if m.group() in ("true", "false") else "call"
        add(kind, m.start(), m.end(), SWAPPED[m.group()])
    for m in STATEMENT.finditer(text):
        if not UNSEEN_CALLS.match(m.group(2)) and not any(mask[m.start():m.start(2) + 1]):
            found.append(Change("call", m.start(2), m.end(), ";", text.count("\n", 0, m.start(2)) + 1))
    for m in CONDITION.finditer(text):
        inside = m.group(1)
        if inside.count("(") == inside.count(")") and not mask[m.start()]:
            found.append(Change("operator", m.start(1), m.end(1), f"!({inside})", text.count("\n", 0, m.start()) + 1))
    return sorted(found, key=lambda c: (c.start, c.end, c.new))


def apply(text, change):
    return text[:change.start] + change.new + text[change.end:]


def line_of(text, number):
    return text.split("\n")[number - 1].strip()
