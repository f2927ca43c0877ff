// Every voice method of the official Node builder, with every attribute its types name, as TwiML.
//
// Reads from standard input what to write where (made by tests/twiml/sdk.rs from the list of the surface); writes one
// JSON object a line: the path, the attributes, the text and the XML the library made of them.
"use strict";

const fs = require("fs");
const VoiceResponse = require("twilio").twiml.VoiceResponse;

const table = JSON.parse(fs.readFileSync(0, "utf8"));
const types = fs.readFileSync(require.resolve("twilio/lib/twiml/VoiceResponse.d.ts"), "utf8");

// The table's row for an element in any place.
function row(path) {
  const parts = path.split("/");
  for (let start = 0; start < parts.length; start++) {
    const found = table[parts.slice(start).join("/")];
    if (found) return found;
  }
  return table["Say/" + parts[parts.length - 1]] || {};
}

// What the types say: the attributes of an interface, and of a class its methods with the interface each takes.
function block(start) {
  const from = types.indexOf("{", start);
  let depth = 0;
  for (let at = from; at < types.length; at++) {
    if (types[at] === "{") depth++;
    if (types[at] === "}" && --depth === 0) return types.slice(from + 1, at);
  }
  throw new Error("the types are cut off");
}

function attributesOf(name) {
  const names = new Set();
  // An interface may be declared for several places; then it has all their attributes.
  for (const found of types.matchAll(new RegExp(`interface ${name} \\{`, "g"))) {
    const body = block(found.index).replace(/\/\*[\s\S]*?\*\//g, "");
    for (const line of body.split("\n")) {
      const key = line.trim().match(/^(?:"([^"]+)"|'([^']+)'|([A-Za-z_$][\w$]*))\??:/);
      if (key) names.add(key[1] || key[2] || key[3]);
    }
  }
  return [...names];
}

function methodsOf(className) {
  const header = className === "VoiceResponse" ? /declare class VoiceResponse extends/ : new RegExp(`class ${className} extends`);
  const found = types.match(header);
  if (!found) return [];
  const body = block(found.index).replace(/\/\*[\s\S]*?\*\//g, "");
  const methods = new Map();
  for (const line of body.split("\n")) {
    const signature = line.trim().match(/^([\w$]+)\((.*)\): VoiceResponse\.(\w+);$/);
    if (!signature) continue;
    const [, name, parameters, result] = signature;
    const options = parameters.match(/attributes\??: VoiceResponse\.(\w+)/);
    const content = parameters.split(", ").map((p) => p.split(/\??:/)[0]).find((p) => p && p !== "attributes");
    const known = methods.get(name) || { result };
    methods.set(name, {
      result,
      attributes: options ? attributesOf(options[1]) : known.attributes || [],
      content: content || known.content,
    });
  }
  return methods;
}

function build(steps, given) {
  const response = new VoiceResponse();
  let parent = response;
  let path = "";
  let values;
  let text;
  steps.forEach((step, n) => {
    path = path ? `${path}/${step.element}` : step.element;
    const known = row(path);
    values = { ...(known.needs || {}) };
    const next = steps[n + 1];
    if (next) {
      const child = row(`${path}/${next.element}`);
      Object.assign(values, child.parent || {});
      text = known.keeps_text || child.beside_text ? known.text || "" : "";
    } else {
      Object.assign(values, given);
      const bare = Object.keys(given).some((name) => ((known.attributes || {})[name] || {}).bare);
      text = bare ? "" : known.text || "";
    }
    if (!step.content) text = "";
    parent = step.content && text ? parent[step.method](values, text) : parent[step.method](values);
  });
  return { xml: response.toString(), values, text };
}

// The name an element gets is seen in what is made of it.
function elementOf(steps, method) {
  const response = new VoiceResponse();
  let parent = response;
  for (const step of steps) parent = parent[step.method]({});
  const before = response.toString();
  parent[method]({});
  const names = (xml) => [...xml.matchAll(/<([A-Za-z][\w-]*)/g)].map((m) => m[1]);
  const [old, now] = [names(before), names(response.toString())];
  return now[old.length];
}

// Writes those of a class's methods, and says which classes they lead to.
function documents(className, steps, seen) {
  const reached = [];
  for (const [method, { result, attributes, content }] of methodsOf(className)) {
    if (seen.has(`${className}.${method}`)) continue;
    seen.add(`${className}.${method}`);
    // Old spellings of a method make the same element.
    const element = elementOf(steps, method);
    const here = [...steps, { method, element, content }];
    const path = here.map((step) => step.element).join("/");
    const known = row(path).attributes || {};
    const one = (asked) => {
      const given = {};
      for (const name of asked) Object.assign(given, (known[name] || {}).with);
      for (const name of asked) given[name] = (known[name] || {}).value || "x";
      const { xml, values, text } = build(here, given);
      console.log(JSON.stringify({ path, asked, attributes: values, text, xml }));
    };
    one([]);
    for (const name of attributes) one([name]);
    one(attributes.filter((name) => !(known[name] || {}).bare && !(known[name] || {}).alone));
    reached.push([result, here]);
  }
  return reached;
}

// The shortest path to a method comes first: SSML nests without end.
const seen = new Set();
const reached = [["VoiceResponse", []]];
for (const [className, steps] of reached) reached.push(...documents(className, steps, seen));
