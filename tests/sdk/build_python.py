"""Every voice method of the official Python builder, with every argument, as TwiML.

Reads from standard input what to write where (made by tests/twiml/sdk.rs from the list of the surface); writes one
JSON object a line: the path, the attributes, the text and the XML the library made of them.
"""

import inspect
import json
import sys

from twilio.twiml import TwiML, voice_response

TABLE = json.load(sys.stdin)


def row(path):
    """The table's row for an element in any place."""
    parts = path.split("/")
    for start in range(len(parts)):
        found = TABLE.get("/".join(parts[start:]))
        if found:
            return found
    return TABLE.get("Say/" + parts[-1]) or {}


def methods(cls):
    for name, function in sorted(vars(cls).items()):
        if inspect.isfunction(function) and not name.startswith("_") and name not in ("to_xml", "append", "nest", "xml"):
            arguments = [p for p in inspect.signature(function).parameters if p not in ("self", "kwargs")]
            yield name, arguments


def roles(cls, method, arguments):
    """Which argument becomes which attribute, and which one the text: found out by calling it with marks."""
    marks = {argument: f"mark-{n}" for n, argument in enumerate(arguments)}
    made = getattr(cls(), method)(**marks)
    of = {mark: argument for argument, mark in marks.items()}
    attributes = {name: of[value] for name, value in made.attrs.items() if value in of}
    return made, attributes, of.get(made.value)


class Chain:
    """A path from <Response> down, rebuilt for each document."""

    def __init__(self, steps=()):
        self.steps = steps

    def path(self):
        return "/".join(name for _, name, _, _ in self.steps)

    def build(self, method, element, attributes, text, given):
        """A document with this element at the end; `given` are its attributes, by their names."""
        response = voice_response.VoiceResponse()
        parent = response
        path = ""
        last = (path + "/" + element).strip("/")
        chain = [*self.steps, (method, element, attributes, text)]
        for n, (step, name, names, text_argument) in enumerate(chain):
            path = (path + "/" + name).strip("/")
            known = row(path)
            values = dict(known.get("needs", {}))
            child = "/".join([path, chain[n + 1][1]]) if n + 1 < len(chain) else None
            if child is None:
                values.update(given)
                bare = any(a.get("bare") for k, a in known.get("attributes", {}).items() if k in given)
                text = "" if bare else known.get("text", "")
            else:
                values.update(row(child).get("parent", {}))
                text = known.get("text", "") if known.get("keeps_text") or row(child).get("beside_text") else ""
            call = {names[k]: v for k, v in values.items() if k in names}
            missing = [k for k in values if k not in names]
            assert not missing, f"{path} has no argument for {missing}"
            if text_argument and text:
                call[text_argument] = text
            elif text_argument and inspect.signature(getattr(parent, step)).parameters[text_argument].default is inspect.Parameter.empty:
                call[text_argument] = text
            parent = getattr(parent, step)(**call)
        return response.to_xml(), values, text


def documents(cls, chain, seen):
    """Writes those of a class's methods, and says which classes they lead to."""
    for method, arguments in methods(cls):
        made, attributes, text = roles(cls, method, arguments)
        if not isinstance(made, TwiML):
            continue
        element = made.name
        if (cls.__name__, method) in seen:
            continue
        seen.add((cls.__name__, method))
        path = (chain.path() + "/" + element).strip("/")
        known = row(path).get("attributes", {})

        def one(names):
            given = {}
            for name in names:
                given.update(known.get(name, {}).get("with", {}))
            for name in names:
                given[name] = known.get(name, {}).get("value", "x")
            xml, values, content = chain.build(method, element, attributes, text, given)
            print(json.dumps({"path": path, "asked": sorted(names), "attributes": values, "text": content, "xml": xml}))

        one([])
        for name in attributes:
            one([name])
        one([name for name in attributes if not known.get(name, {}).get("bare") and not known.get(name, {}).get("alone")])
        yield type(made), Chain((*chain.steps, (method, element, attributes, text)))


# The shortest path to a method comes first: SSML nests without end.
SEEN = set()
REACHED = [(voice_response.VoiceResponse, Chain())]
for reached in REACHED:
    REACHED.extend(documents(*reached, SEEN))
