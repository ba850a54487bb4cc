#!/usr/bin/env python3
"""Checks every fenced code block of a Markdown file: README promises nothing that does not build.

    check.py README.md <work directory>
    CXX, CMAKE, CMAKE_GENERATOR and CMAKE_PREFIX_PATH (an installed weir) come from the environment.

What happens to a block follows from its language:

```cpp    With `int main`: a program; it is built and run and must exit with 0. Comments
          `// prints: <text>` state its whole output, one comment per line of output in the order
          of the text; `// prints: ...` stands for any lines, also none. Without such comments the
          output is free.
          Without `int main`: a fragment; it must compile. Its `#include` lines are taken to the top
          and the rest becomes the body of a function, all of it after tests/readme/fragment.hpp. A
          line just before the fence may say more:
              <!-- fragment: product -->             after tests/readme/product.hpp instead, which
                                                     declares the names that it takes as known
              <!-- fragment: product, namespace -->  at namespace scope: types, templates, functions
              <!-- fragment: namespace -->           the same, after tests/readme/fragment.hpp
```sh     `bash -n` must accept it, and every file of this project that it starts must exist.
```cmake  Configured as the CMakeLists.txt of a project, and built. FetchContent takes weir from this
          tree, so no network is needed; find_package takes the installed one. A target that
          the block links but does not create is made from tests/consumer/main.cpp.
```text, ```console, ```json, ```http, ```diff    shown, not run.

A region that is also part of an example carries, just before the fence,
    <!-- example: examples/cache_with_ttl.cpp -->
and must stand in that file as it is, but for the indentation; the file is built and run as an
example, so the block is not built again.

Any other language, or none, is an error: a block that nobody checks will be wrong one day.
"""

import concurrent.futures
import os
import pathlib
import re
import shutil
import subprocess
import sys
import textwrap

ROOT = pathlib.Path(__file__).resolve().parents[2]
SHOWN_ONLY = {"text", "console", "json", "http", "diff"}
FENCE = re.compile(r"^ {0,3}(```+|~~~+)\s*(\S*)")
MARK = re.compile(r"^\s*<!--\s*(fragment|example):\s*(.*?)\s*-->\s*$")


class Failure(Exception):
    """What is wrong with a block, in words for its author."""


class Block:
    def __init__(self, line, language, mark, text):
        self.line, self.language, self.mark, self.text = line, language, mark, text


def blocks_of(markdown):
    """The fenced blocks of a Markdown text, each with the mark on the line before it."""
    lines = markdown.splitlines()
    found, i = [], 0
    while i < len(lines):
        fence = FENCE.match(lines[i])
        if not fence:
            i += 1
            continue
        start, close = i, re.compile(r"^ {0,3}" + fence[1][0] + "{%d,}\\s*$" % len(fence[1]))
        i += 1
        while i < len(lines) and not close.match(lines[i]):
            i += 1
        mark = MARK.match(lines[start - 1]) if start else None
        found.append(Block(start + 1, fence[2], mark.groups() if mark else None,
                           textwrap.dedent("\n".join(lines[start + 1:i])) + "\n"))
        i += 1
    return found


def run(command, **options):
    done = subprocess.run([str(word) for word in command], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, stdin=subprocess.DEVNULL,
                          timeout=200, check=False, **options)
    if done.returncode != 0:
        raise Failure(f"`{command[0]}` failed with {done.returncode}:\n{done.stdout}")
    return done.stdout


def compile_cpp(source, *flags):
    run([os.environ["CXX"], "-std=c++20", "-Wall", "-Wno-unused", f"-I{ROOT}/include",
         source, *flags])


def check_output(text, output):
    expected = re.findall(r"//[ \t]*prints:[ \t]*(.*?)[ \t]*$", text, re.MULTILINE)
    if not expected:
        return
    lines = "".join(r"(?:.*\n)*" if line == "..." else re.escape(line) + r"\n" for line in expected)
    actual = "".join(line.rstrip() + "\n" for line in output.splitlines())
    if not re.fullmatch(lines, actual):
        raise Failure("it should print\n" + textwrap.indent("\n".join(expected), "    ") +
                      "\nbut prints\n" + textwrap.indent(actual, "    "))


def check_program(block, work, _):
    source = work / "program.cpp"
    source.write_text(block.text)
    compile_cpp(source, "-pthread", "-o", work / "program")
    check_output(block.text, run([work / "program"], cwd=work))


def check_fragment(block, work, preludes):
    words = [w for w in re.split(r"[\s,]+", block.mark[1]) if w] if block.mark else []
    at_namespace_scope = "namespace" in words
    head, body = [], []
    for name in [w for w in words if w != "namespace"] or ["fragment"]:
        prelude = preludes / f"{name}.hpp"
        if not prelude.exists():
            raise Failure(f"the prelude {prelude} does not exist")
        head.append(f'#include "{prelude}"')
    for line in block.text.splitlines():
        (head if line.startswith("#include") else body).append(line)
    if not at_namespace_scope:
        body = ["void fragment() {", *body, "}"]
    source = work / "fragment.cpp"
    source.write_text("\n".join([*head, *body, ""]))
    compile_cpp(source, "-c", "-o", work / "fragment.o")


def check_example(block, _work, _preludes):
    def shape(text):
        return "\n".join(line.strip() for line in text.strip().splitlines())

    example = ROOT / block.mark[1]
    if not example.exists():
        raise Failure(f"the example {block.mark[1]} does not exist")
    if f"\n{shape(block.text)}\n" not in f"\n{shape(example.read_text())}\n":
        raise Failure(f"the block is no longer part of {block.mark[1]}")


def check_sh(block, _work, _preludes):
    run(["bash", "-n", "-c", block.text])
    for name in re.findall(r"(?<![\w./-])(?:\./)?((?:examples|tests|cmake)/[\w./-]*\w)", block.text):
        if not (ROOT / name).exists():
            raise Failure(f"{name} does not exist")
        if name.endswith(".sh") and not os.access(ROOT / name, os.X_OK):
            raise Failure(f"{name} is not executable")


def check_cmake(block, work, _):
    linked = set(re.findall(r"target_link_libraries\(\s*([\w-]+)", block.text))
    made = set(re.findall(r"add_(?:executable|library)\(\s*([\w-]+)", block.text))
    text = "" if "project(" in block.text else "project(readme LANGUAGES CXX)\n"
    if "cmake_minimum_required(" not in block.text:
        text = "cmake_minimum_required(VERSION 3.24)\n" + text
    for target in sorted(linked - made):
        text += f"add_executable({target} main.cpp)\n"
    (work / "CMakeLists.txt").write_text(text + block.text)
    shutil.copy(ROOT / "tests/consumer/main.cpp", work / "main.cpp")
    cmake = os.environ["CMAKE"]
    run([cmake, "-S", work, "-B", work / "build", f"-DFETCHCONTENT_SOURCE_DIR_WEIR={ROOT}",
         "-DFETCHCONTENT_FULLY_DISCONNECTED=ON"])
    run([cmake, "--build", work / "build"])


def check_of(block):
    """The function that checks a block, or None for one that is only shown."""
    if block.mark and block.mark[0] == "example":
        return check_example
    if block.language == "cpp":
        return check_program if re.search(r"\bint main\b", block.text) else check_fragment
    if block.language in SHOWN_ONLY:
        return None
    checks = {"sh": check_sh, "cmake": check_cmake}
    if block.language not in checks:
        raise Failure(f"nobody checks the language '{block.language}'")
    return checks[block.language]


def check_file(markdown, work, preludes):
    """Checks all blocks, two at a time; returns how many failed."""
    shutil.rmtree(work, ignore_errors=True)

    def verdict(block):
        place = work / f"line_{block.line}"
        place.mkdir(parents=True)
        try:
            check = check_of(block)
            if check:
                check(block, place, preludes)
            return check.__name__.replace("check_", "") if check else "shown only", None
        except (Failure, subprocess.TimeoutExpired) as failure:
            return "FAILED", str(failure)

    blocks = blocks_of(markdown.read_text())
    failures = 0
    with concurrent.futures.ThreadPoolExecutor(max_workers=2) as pool:
        for block, (kind, message) in zip(blocks, pool.map(verdict, blocks)):
            print(f"{markdown.name}:{block.line}: {block.language or 'no language'}: {kind}")
            if message:
                failures += 1
                print(textwrap.indent(message, "    "))
    print(f"{len(blocks)} blocks, {failures} failed")
    return failures


if __name__ == "__main__":
    readme, work_directory = map(pathlib.Path, sys.argv[1:])
    sys.exit(check_file(readme, work_directory, ROOT / "tests/readme") > 0)
