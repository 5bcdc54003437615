"""Derives from the text of a git command what must exist before it can run.

The commands are the fixtures' references, so only their canonical forms are understood.
"""

import re
import shlex
from dataclasses import dataclass

HASH = re.compile(r"(?<![\w./@-])(?=[a-f]*\d)[0-9a-f]{7,12}(?!\w|-|\.\w)")
VERSION = re.compile(r"v?\d+(\.\d+)+")
TAKES_VALUE = {"-m", "-n", "-S", "-L", "--depth", "-c"}
READS = {"log", "show", "blame", "shortlog", "reflog", "rev-list", "grep", "status", "diff", "rev-parse", "ls-files"}
READS |= {"merge-base", "describe"}


@dataclass(frozen=True)
class Needs:
    """The state that a command needs."""

    refs: tuple[tuple[str, str], ...] = ()
    """Full names of local refs with the commit each stands on: "merged", "side", "ahead" or "known"."""
    absent: tuple[str, ...] = ()
    """Full names of local refs that must not exist yet."""
    remotes: tuple[str, ...] = ("origin",)
    """Remotes that are configured; all of them are the one local bare repository."""
    remote_refs: tuple[str, ...] = ()
    """Refs in the bare repository."""
    edited: tuple[str, ...] = ()
    """Tracked files with a change in the working tree."""
    moved_to: str = ""
    """The target of a move."""
    situation: str = ""
    """A state such as "merge conflict", "staged" or "stashes 3"."""
    url: str = ""
    """An address that stands for the bare repository."""
    key: str = ""
    """A configuration key that has a value."""
    outside: bool = False
    """Whether the command is run in an empty folder, outside any repository."""


def positionals(args: list[str]) -> list[str]:
    """Return the arguments that are neither options nor values of options."""
    found, skip = [], False
    for arg in args:
        if skip:
            skip = False
        elif arg in TAKES_VALUE:
            skip = True
        elif arg == "-" or not arg.startswith("-"):
            found.append(arg)
    return found


def ref_of(name: str) -> str | None:
    """Return the full name of the ref that must exist for this revision, or None for hashes and HEAD."""
    name = re.split(r"[~^]", name)[0]
    if not name or name.startswith(("HEAD", "@", "stash@")) or HASH.fullmatch(name):
        return None
    if name.startswith(("origin/", "upstream/")):
        return f"refs/remotes/{name}"
    return f"refs/tags/{name}" if VERSION.fullmatch(name) else f"refs/heads/{name}"


def refs_at(*pairs: tuple[str, str]) -> tuple[tuple[str, str], ...]:
    """Return (ref, commit) for the revisions that are names."""
    return tuple((ref, at) for name, at in pairs if (ref := ref_of(name)))


def needs_of(command: str, section: str) -> Needs:
    """Return what the reference command needs; `section` tells a tag from a branch in `git push NAME X`."""
    sub, *args = shlex.split(command)[1:]
    names = positionals([arg for arg in args if sub != "branch" or arg != "-m"])
    first = names[0] if names else ""
    has = set(args)
    heads = "refs/tags/" if section == "tags" else "refs/heads/"
    if sub in {"merge", "rebase", "cherry-pick"} and has & {"--abort", "--continue", "--skip"}:
        return Needs(situation=f"{sub} conflict" + (" resolved" if "--continue" in has else ""))
    match sub:
        case "branch" if "-u" in has:
            remote = first.split("/")[0]
            return Needs(refs=((f"refs/remotes/{first}", "merged"),), remotes=tuple(sorted({"origin", remote})))
        case "branch" if has & {"-d", "-D"}:
            return Needs(refs=refs_at((first, "merged" if "-d" in has else "side")))
        case "branch" if "-m" in has:
            return Needs(refs=refs_at((first, "side")) if len(names) > 1 else (), absent=(f"refs/heads/{names[-1]}",))
        case "branch" if first and not has & {"--merged", "--no-merged"}:
            return Needs(absent=(f"refs/heads/{first}",), refs=refs_at(*[(n, "side") for n in names[1:]]))
        case "switch" if "-c" in has:
            new = args[args.index("-c") + 1]
            return Needs(absent=(f"refs/heads/{new}",), refs=refs_at(*[(n, "side") for n in names]))
        case "merge":
            return Needs(refs=refs_at((first, "ahead" if "--ff-only" in has else "side")))
        case "switch" | "rebase" | "rev-list" | "branch" if first != "-":
            return Needs(refs=refs_at(*[(n, "side") for n in names]))
        case "log" | "diff" if first and ".." in first:
            left, right = re.split(r"\.{2,3}", first)
            return Needs(refs=refs_at((left, "merged"), (right, "side")))
        case "diff":
            by_name = bool(has & {"--name-only", "--stat"})
            return Needs(refs=refs_at(*[(n, "side") for n in names]) if by_name else (), situation="changes")
        case "merge-base":
            return Needs(refs=refs_at((names[0], "merged"), (names[1], "side")))
        case "show":
            return Needs(refs=refs_at((first.split(":")[0], "known")))
        case "add":
            return Needs(edited=tuple(names), situation="" if names else "changes")
        case "commit":
            return Needs(situation="edited" if "-am" in has else "" if "--allow-empty" in has else "staged")
        case "mv":
            return Needs(moved_to=names[1])
        case "restore":
            edited = tuple(n for n in names if n != ".")
            return Needs(edited=edited, situation="staged" if "--staged" in has else "edited")
        case "clean" | "status":
            return Needs(situation="changes")
        case "remote":
            return remote_needs(names)
        case "fetch":
            return Needs(remotes=tuple(sorted({"origin", first or "origin"})), situation="remote ahead")
        case "pull":
            return Needs(situation="remote ahead")
        case "push" if len(names) == 2:
            remotes = tuple(sorted({"origin", first}))
            full = f"{heads}{names[1]}"
            if "--delete" in has:
                return Needs(remotes=remotes, remote_refs=(full,))
            return Needs(remotes=remotes, refs=((full, "ahead"),))
        case "push":
            return Needs(situation="rewritten" if "--force-with-lease" in has else "")
        case "clone":
            return Needs(url=first, outside=True)
        case "init":
            return Needs(outside=True)
        case "stash":
            return stash_needs(args, names)
        case "tag" if "-d" in has:
            return Needs(refs=tuple((f"refs/tags/{n}", "merged") for n in names))
        case "tag" if first:
            return Needs(absent=(f"refs/tags/{first}",), refs=refs_at(*[(n, "known") for n in names[1:]]))
        case "config" if len(names) == 1 and first != "user.name":
            return Needs(key=first)
        case "bisect" if first != "start":
            return Needs(situation="bisect", refs=refs_at(*[(n, "known") for n in names[1:]]))
        case "worktree" if first == "add":
            return Needs(refs=refs_at(*[(n, "side") for n in names[2:]]))
    return Needs()


def remote_needs(names: list[str]) -> Needs:
    """Return what `git remote …` needs."""
    if names[:1] == ["add"]:
        return Needs(remotes=tuple(sorted({"origin"} - {names[1]})), url=names[2])
    return Needs(remotes=tuple(sorted({"origin", *names[1:2]} - set(names[2:3]))))


def stash_needs(args: list[str], names: list[str]) -> Needs:
    """Return what `git stash …` needs: changes to put aside, or enough entries."""
    verb = names[0] if names else "push"
    if verb == "push":
        return Needs(situation="changes")
    number = re.search(r"stash@\{(\d+)\}", " ".join(args))
    absent = (f"refs/heads/{names[1]}",) if verb == "branch" else ()
    return Needs(situation=f"stashes {int(number[1]) + 1 if number else 2}", absent=absent)


def only_reads(command: str) -> bool:
    """Whether the reference changes nothing, so that it may run in the template itself."""
    sub, *args = shlex.split(command)[1:]
    names, has = positionals(args), set(args)
    return (
        sub in READS
        or (sub == "branch" and not names and not has & {"-m", "-d", "-D", "-u"})
        or (sub == "remote" and (not names or names[0] == "get-url"))
        or (sub == "stash" and names[:1] in (["list"], ["show"]))
        or (sub == "tag" and not names)
        or (sub == "config" and len(names) <= 1)
        or (sub == "worktree" and names == ["list"])
        or (sub == "clean" and "-n" in has)
    )


def named_in(commands: list[str]) -> tuple[list[str], list[str], list[str]]:
    """Return the files, the searched texts and the authors that reference commands name."""
    files: set[str] = set()
    texts: set[str] = set()
    authors: set[str] = set()
    for command in commands:
        sub, *args = shlex.split(command)[1:]
        names = positionals(args)
        if sub in {"add", "rm", "blame", "restore"} or (sub == "log" and ".." not in "".join(names)):
            files |= set(names)
        elif sub == "mv":
            files.add(names[0])
        elif sub == "diff" and not any(arg.startswith("--") for arg in args):
            files |= {name for name in names if ".." not in name}
        elif sub == "show" and names and ":" in names[0]:
            files.add(names[0].split(":")[1])
        elif sub == "grep":
            texts |= set(names)
        if "-S" in args:
            texts.add(args[args.index("-S") + 1])
        texts |= {arg.partition("=")[2] for arg in args if arg.startswith("--grep=")}
        authors |= {arg.partition("=")[2] for arg in args if arg.startswith("--author=")}
    return sorted(files - {".", "-"}), sorted(texts), sorted(authors)
