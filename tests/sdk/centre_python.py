"""A contact centre as the published tutorials make one, with the official Python library: a product menu, a skills
workflow, missed calls that are called back, voicemail for who waited too long, and agents who come back by a message.

Its environment: BOX, ACCOUNT and TOKEN of the box; SERVE, where it serves (`host:port`); SOUNDS, where its prompts
are; CHAT, where messages to agents are posted; AGENTS, a list of {name, products, contact_uri}. It writes one line of
JSON once it serves. `/log` tells what it was asked, `/missed` who was missed.
"""

import json
import os
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit

import requests
from twilio.request_validator import RequestValidator
from twilio.rest import Client
from twilio.twiml.messaging_response import MessagingResponse
from twilio.twiml.voice_response import Gather, VoiceResponse

NAME = "Product support"
HELP = "Say On to take calls, Off to take none."

sounds, chat = os.environ["SOUNDS"], os.environ["CHAT"]
host, port = os.environ["SERVE"].split(":")
client = Client(os.environ["ACCOUNT"], os.environ["TOKEN"])
for product in (client.api, client.taskrouter):
    product.base_url = os.environ["BOX"]
validator = RequestValidator(os.environ["TOKEN"])
lock = threading.Lock()
log, missed, setup = [], {}, {}


def here(path):
    return f"http://{host}:{port}{path}"


def build():
    """The workspace, made anew whenever the application starts."""
    for old in client.taskrouter.v1.workspaces.list(friendly_name=NAME):
        old.delete()
    made = client.taskrouter.v1.workspaces.create(
        friendly_name=NAME, event_callback_url=here("/events"), multi_task_enabled=True
    )
    workspace = client.taskrouter.v1.workspaces(made.sid)
    workspace.activities.create(friendly_name="Wrap-Up", available=False)
    activities = {one.friendly_name: one.sid for one in workspace.activities.list()}
    workspace.update(timeout_activity_sid=activities["Offline"], default_activity_sid=activities["Offline"])
    for agent in json.loads(os.environ["AGENTS"]):
        attributes = {"products": agent["products"], "contact_uri": agent["contact_uri"]}
        workspace.workers.create(friendly_name=agent["name"], attributes=json.dumps(attributes))
    queues = {
        name: workspace.task_queues.create(friendly_name=name, target_workers=f'products HAS "{name}"').sid
        for name in ("ProgrammableSMS", "ProgrammableVoice")
    }
    waits = {"ProgrammableSMS": 6, "ProgrammableVoice": 60}
    filters = [
        {
            "filter_friendly_name": name,
            "expression": f'selected_product=="{name}"',
            "targets": [{"queue": queue, "priority": "5", "timeout": str(waits[name])}],
        }
        for name, queue in queues.items()
    ]
    workflow = workspace.workflows.create(
        friendly_name="Sales",
        assignment_callback_url=here("/assignment"),
        fallback_assignment_callback_url=here("/assignment"),
        task_reservation_timeout=15,
        configuration=json.dumps(
            {"task_routing": {"filters": filters, "default_filter": {"queue": queues["ProgrammableVoice"]}}}
        ),
    )
    setup.update(workspace=made.sid, workflow=workflow.sid, activities=activities)


def incoming(_):
    answer = VoiceResponse()
    gather = Gather(num_digits=1, action="/enqueue", method="POST", timeout=5)
    gather.play(f"{sounds}/menu.wav")
    answer.append(gather)
    # Who says nothing waits for somebody too.
    answer.redirect("/enqueue")
    return str(answer)


def enqueue(form):
    product = "ProgrammableSMS" if form.get("Digits") == "1" else "ProgrammableVoice"
    answer = VoiceResponse()
    enqueue = answer.enqueue(None, workflow_sid=setup["workflow"], action="/left")
    enqueue.task(json.dumps({"selected_product": product}))
    return str(answer)


def assignment(_):
    wrap_up = setup["activities"]["Wrap-Up"]
    return json.dumps({"instruction": "dequeue", "post_work_activity_sid": wrap_up, "timeout": 3})


def events(form):
    kind = form["EventType"]
    if kind in ("workflow.timeout", "task.canceled"):
        task = json.loads(form["TaskAttributes"])
        with lock:
            # Both are told of one call.
            missed[task["call_sid"]] = {"number": task["from"], "product": task["selected_product"]}
    if kind == "workflow.timeout":
        client.calls(task["call_sid"]).update(url=here("/voicemail"), method="POST")
    if kind == "worker.activity.update" and form["WorkerActivityName"] == "Offline":
        contact = json.loads(form["WorkerAttributes"])["contact_uri"]
        requests.post(chat, json={"to": contact, "text": f"You are offline. {HELP}"}, timeout=5)
    return ""


def voicemail(_):
    answer = VoiceResponse()
    answer.play(f"{sounds}/sorry.wav")
    answer.record(max_length=20, play_beep=True, action="/recorded", timeout=10)
    return str(answer)


def message(form):
    """An agent says that it comes or goes; anything else changes nothing."""
    wanted = {"on": "Available", "off": "Offline"}.get(form["Body"].strip().lower())
    answer = MessagingResponse()
    workspace = client.taskrouter.v1.workspaces(setup["workspace"])
    found = workspace.workers.list(target_workers_expression=f'contact_uri == "{form["From"]}"')
    if wanted and found:
        worker = found[0].update(activity_sid=setup["activities"][wanted])
        answer.message(f"You are {worker.activity_name} now.")
    else:
        answer.message(HELP)
    return str(answer)


def hang_up(_):
    answer = VoiceResponse()
    answer.hangup()
    return str(answer)


def page(_):
    rows = [f'<li>{one["product"]}: <a href="tel:{one["number"]}">{one["number"]}</a></li>' for one in missed.values()]
    return f"<ul>{''.join(rows)}</ul>"


PAGES = {
    "/incoming": (incoming, "text/xml"),
    "/enqueue": (enqueue, "text/xml"),
    "/assignment": (assignment, "application/json"),
    "/events": (events, "text/plain"),
    "/voicemail": (voicemail, "text/xml"),
    "/recorded": (hang_up, "text/xml"),
    "/left": (hang_up, "text/xml"),
    "/message": (message, "text/xml"),
    "/": (page, "text/html"),
    "/missed": (lambda _: json.dumps(list(missed.values())), "application/json"),
    "/log": (lambda _: json.dumps(log), "application/json"),
}


class Application(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self):
        self.answer({})

    def do_POST(self):
        length = int(self.headers.get("Content-Length") or 0)
        form = dict(parse_qsl(self.rfile.read(length).decode(), keep_blank_values=True))
        signature = self.headers.get("X-Twilio-Signature") or ""
        signed = validator.validate(here(self.path), form, signature)
        with lock:
            log.append({"path": self.path, "form": form, "signed": signed, "at": time.time()})
        self.answer(form)

    def answer(self, form):
        what, kind = PAGES[urlsplit(self.path).path]
        body = what(form).encode()
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


server = ThreadingHTTPServer((host, int(port)), Application)
serving = threading.Thread(target=server.serve_forever, daemon=True)
serving.start()
build()
print(json.dumps(setup), flush=True)
serving.join()
