"""A page for each public namespace, from the tables of names that the package itself loads from.

A name that stands in two namespaces (`infotorch.ksg` is `infotorch.estimators.ksg`) is described once, in the narrower
one, and linked from the other.
"""

from __future__ import annotations

import importlib
import inspect
from pathlib import Path

from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment

import infotorch

# Public, and not worth a namespace of its own.
BESIDE = {"infotorch.assessment.assess": ["assess"]}
_INDEX = [
    *("API", "===", "", "A page for each namespace, from the docstrings. All names load on first use, so that"),
    *("``import infotorch`` is light. Information is in nats.", "", ".. toctree::", "   :maxdepth: 1", ""),
]


def homes() -> dict[str, str]:
    """Every public name -> the full name under which it is described."""
    found = {name: f"infotorch.{name}" for name in infotorch.HOMES}
    for package in infotorch.PACKAGES:
        module = importlib.import_module(f"infotorch.{package}")
        found |= {name: f"infotorch.{package}.{name}" for name in module.HOMES}
    return found | {name: f"{module}.{name}" for module, names in BESIDE.items() for name in names}


def page_of(namespace: str, names: list[str]) -> str:
    """The reStructuredText of a namespace's page."""
    module = importlib.import_module(namespace)
    described, kinds = homes(), {"Functions": [], "Classes": [], "Types": []}
    elsewhere = [name for name in names if described[name] != f"{namespace}.{name}"]
    for name in sorted(set(names) - set(elsewhere), key=str.lower):
        value = getattr(module, name)
        kind = "Classes" if inspect.isclass(value) else "Functions" if inspect.isroutine(value) else "Types"
        kinds[kind].append(name)
    lines = [namespace, "=" * len(namespace), "", f".. py:module:: {namespace}", "", _first_paragraph(module), ""]
    for kind, members in kinds.items():
        if members:
            lines += [kind, "-" * len(kind), "", *_overview(members), *_described(namespace, kind, members)]
    if elsewhere:
        lines += ["Also here", "---------", "", "The same objects as in the narrower namespaces.", ""]
        lines += [f"- :py:obj:`{name} <{described[name]}>`" for name in elsewhere]
    return "\n".join([*lines, ""])


def _first_paragraph(module: object) -> str:
    return " ".join((inspect.getdoc(module) or "").split("\n\n")[0].split())


def _overview(members: list[str]) -> list[str]:
    return [".. autosummary::", "   :nosignatures:", "", *(f"   {name}" for name in members), ""]


def _described(namespace: str, kind: str, members: list[str]) -> list[str]:
    directive = {"Functions": "autofunction", "Classes": "autoclass", "Types": "autodata"}[kind]
    options = ["   :no-value:"] if kind == "Types" else []
    return [line for name in members for line in (f".. {directive}:: {namespace}.{name}", *options, "")]


def _write_pages(app: Sphinx) -> None:
    folder = Path(app.srcdir) / "api"
    folder.mkdir(exist_ok=True)
    pages = {"infotorch": sorted(infotorch.HOMES)}
    for package in infotorch.PACKAGES:
        pages[f"infotorch.{package}"] = sorted(importlib.import_module(f"infotorch.{package}").HOMES)
    texts = {namespace: page_of(namespace, names) for namespace, names in (pages | BESIDE).items()}
    texts["index"] = "\n".join([*_INDEX, *(f"   {namespace}" for namespace in texts), ""])
    for name, text in texts.items():
        path = folder / f"{name}.rst"
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")


def _resolve(
    app: Sphinx, env: BuildEnvironment, node: pending_xref, contnode: nodes.TextElement
) -> nodes.reference | None:
    """A public name, or a method of one, by the name alone or by another namespace's."""
    if node.get("refdomain") != "py":
        return None
    parts = node["reftarget"].removeprefix("infotorch.").split(".")
    known = homes()
    for start in range(len(parts)):
        if parts[start] in known:
            target = ".".join([known[parts[start]], *parts[start + 1 :]])
            domain, page = env.get_domain("py"), node.get("refdoc", env.docname)
            if target in domain.objects:
                return domain.resolve_xref(env, page, app.builder, "obj", target, node, contnode)
    return None


def setup(app: Sphinx) -> dict[str, bool]:
    """Sphinx calls it."""
    app.connect("builder-inited", _write_pages)
    app.connect("missing-reference", _resolve)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
