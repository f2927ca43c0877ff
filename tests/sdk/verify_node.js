// What the official Node validators say of the box's signatures: one `true` or `false` a line.
//
// Reads JSON from standard input: for each request its URL as a server sees it, its body, and the signature's header.
"use strict";

const fs = require("fs");
const querystring = require("querystring");
const { validateRequest, validateRequestWithBody } = require("twilio");

for (const { token, url, form, body, signature } of JSON.parse(fs.readFileSync(0, "utf8"))) {
  const right =
    form || !body
      ? validateRequest(token, signature, url, form ? { ...querystring.parse(body) } : {})
      : validateRequestWithBody(token, signature, url, body);
  console.log(JSON.stringify(right));
}
