"""check.py notices what it promises to notice; a sample stands in for README.md."""

import contextlib
import io
import os
import pathlib
import tempfile
import unittest

import check

os.environ.setdefault("CXX", "c++")
os.environ.setdefault("CMAKE", "cmake")


def report(markdown, preludes=None):
    """Checks a Markdown text; returns the number of failures and all that was printed."""
    with tempfile.TemporaryDirectory() as work:
        work = pathlib.Path(work)
        (work / "SAMPLE.md").write_text(markdown)
        for name, text in {"fragment": "using known = int;\n", **(preludes or {})}.items():
            (work / f"{name}.hpp").write_text(text)
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            failures = check.check_file(work / "SAMPLE.md", work / "blocks", work)
        return failures, printed.getvalue()


def block(language, text, mark=""):
    return f"Some words.\n\n{mark}\n```{language}\n{text}\n```\n"


def program(*prints, output=("one", "two"), result="0"):
    lines = [f'    std::puts("{line}");' for line in output]
    comments = [f"    // prints: {line}" for line in prints]
    return block("cpp", "\n".join(["#include <cstdio>", "int main() {", *lines, *comments,
                                   f"    return {result};", "}"]))


class blocks(unittest.TestCase):
    def passes(self, *arguments):
        failures, printed = report(*arguments)
        self.assertEqual(failures, 0, printed)

    def fails(self, message, *arguments):
        failures, printed = report(*arguments)
        self.assertEqual(failures, 1, printed)
        self.assertIn(message, printed)

    def test_every_fence_is_found(self):
        text = "a\n```sh\nls\n```\nb\n````text\n```sh\n```\n````\n  ~~~cpp\n  int i;\n  ~~~\n"
        self.assertEqual([(b.line, b.language, b.text) for b in check.blocks_of(text)],
                         [(2, "sh", "ls\n"), (6, "text", "```sh\n```\n"), (10, "cpp", "int i;\n")])

    def test_a_program_that_prints_what_it_says_passes(self):
        self.passes(program("one", "two"))

    def test_a_program_that_says_nothing_may_print_anything(self):
        self.passes(program())

    def test_dots_stand_for_any_lines(self):
        self.passes(program("one", "..."))
        self.passes(program("...", "one", "two"))

    def test_other_output_fails(self):
        self.fails("it should print\n", program("one", "three"))

    def test_more_output_than_said_fails(self):
        self.fails("it should print\n", program("one"))

    def test_an_exit_code_other_than_zero_fails(self):
        self.fails("failed with 3", program(result="3"))

    def test_a_program_that_does_not_compile_fails(self):
        self.fails("error:", block("cpp", "int main() { return unknown; }"))

    def test_a_fragment_knows_its_prelude(self):
        prelude = {"shop": "struct product { int price; };\ninline product find(int) { return {}; }\n"}
        self.passes(block("cpp", "#include <string>\nstd::string name;\nauto p = find(42);",
                          "<!-- fragment: shop -->"), prelude)

    def test_a_fragment_that_names_no_prelude_gets_the_common_one(self):
        self.passes(block("cpp", "known i = 3;"))

    def test_a_fragment_without_its_prelude_fails(self):
        self.fails("error:", block("cpp", "auto p = find(42);"))
        self.fails("does not exist", block("cpp", "int i;", "<!-- fragment: shop -->"))

    def test_a_fragment_may_stand_at_namespace_scope(self):
        text = "template<class T>\nstruct box { T t; };"
        self.passes(block("cpp", text, "<!-- fragment: namespace -->"))
        self.fails("error:", block("cpp", text))

    def test_an_example_must_contain_the_block(self):
        path = "tests/readme/check_test.py"
        mark = f"<!-- example: {path} -->"
        self.passes(block("cpp", "def passes(self, *arguments):\n"
                          "    failures, printed = report(*arguments)", mark))
        self.fails("no longer part", block("cpp", "def " + "drifted(self):", mark))
        self.fails("does not exist", block("cpp", "x", "<!-- example: examples/none.cpp -->"))

    def test_shell_must_parse_and_start_files_that_exist(self):
        self.passes(block("sh", "tests/run.sh && cd build"))
        self.fails("bash", block("sh", "if true; then"))
        self.fails("tests/none.sh does not exist", block("sh", "./tests/none.sh"))

    def test_cmake_must_configure(self):
        self.passes(block("cmake", "message(STATUS hello)"))
        self.fails("stop here", block("cmake", 'message(FATAL_ERROR "stop here")'))

    def test_text_is_only_shown(self):
        self.passes(block("text", "if true; then"))

    def test_a_language_that_nobody_checks_fails(self):
        self.fails("nobody checks the language 'rust'", block("rust", "fn main() {}"))
        self.fails("nobody checks the language ''", block("", "int main() {}"))


if __name__ == "__main__":
    unittest.main()
