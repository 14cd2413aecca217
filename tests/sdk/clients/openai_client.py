"""The official OpenAI SDK for Python, as its users call it: a task as JSON on each line of standard input, and
what became of it on a line of standard output."""

import json
import sys

import openai
from pydantic import BaseModel

MODEL = "gpt-5-mini"
ASKED = [{"role": "user", "content": "Where is the castle?"}]
TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "get_weather",
            "description": "The weather of a city",
            "parameters": {
                "type": "object",
                "properties": {"city": {"type": "string"}},
                "required": ["city"],
            },
        },
    }
]


class Castle(BaseModel):
    name: str
    towers: int


def plain(client):
    answer = client.chat.completions.create(model=MODEL, messages=ASKED)
    choice = answer.choices[0]
    return {"text": choice.message.content, "finish": choice.finish_reason, "tokens": answer.usage.total_tokens}


def stream(client, told):
    told.update(text="", finish=None)
    options = {"include_usage": True}
    for chunk in client.chat.completions.create(model=MODEL, messages=ASKED, stream=True, stream_options=options):
        for choice in chunk.choices:
            told["text"] += choice.delta.content or ""
            told["finish"] = choice.finish_reason or told["finish"]
        if chunk.usage:
            told["tokens"] = chunk.usage.total_tokens
    return told


def leave(client):
    chunks = client.chat.completions.create(model=MODEL, messages=ASKED, stream=True)
    first = next(iter(chunks))
    chunks.close()
    return {"left": first.object}


def tools(client):
    answer = client.chat.completions.create(model=MODEL, messages=ASKED, tools=TOOLS)
    choice = answer.choices[0]
    call = choice.message.tool_calls[0].function
    return {"tool": call.name, "is_json": isinstance(json.loads(call.arguments), dict), "finish": choice.finish_reason}


def structured(client):
    answer = client.chat.completions.parse(model=MODEL, messages=ASKED, response_format=Castle)
    return {"parsed": answer.choices[0].message.parsed.model_dump()}


def respond(client):
    answer = client.responses.create(model=MODEL, input="Where is the castle?")
    return {"text": answer.output_text, "finish": answer.status}


def respond_stream(client, told):
    told.update(text="", finish=None)
    for event in client.responses.create(model=MODEL, input="Where is the castle?", stream=True):
        if event.type == "response.output_text.delta":
            told["text"] += event.delta
        elif event.type in ("response.completed", "response.incomplete", "response.failed"):
            told["finish"] = event.response.status
    return told


def embed(client):
    answer = client.embeddings.create(model="text-embedding-3-small", input=["a castle", "a hill"])
    return {"vectors": len(answer.data)}


def models(client):
    return {"models": sorted(model.id for model in client.models.list())}


STREAMS = {"stream": stream, "respond_stream": respond_stream}
WHOLES = {
    "plain": plain,
    "leave": leave,
    "tools": tools,
    "structured": structured,
    "respond": respond,
    "embed": embed,
    "models": models,
}


def failure(error):
    """What a caller can tell the error by."""
    told = {"class": type(error).__name__}
    for name in ("status_code", "code", "type"):
        told[name] = getattr(error, name, None)
    response = getattr(error, "response", None)
    if response is not None:
        told["retry_after"] = response.headers.get("retry-after")
    return told


def play(task):
    keys = ("base_url", "max_retries", "timeout", "default_headers")
    client = openai.OpenAI(api_key=task.get("key", "sk-client"), **{key: task[key] for key in keys if key in task})
    told = {}
    try:
        name = task["task"]
        told = STREAMS[name](client, told) if name in STREAMS else WHOLES[name](client)
    except Exception as error:
        told["error"] = failure(error)
    finally:
        client.close()
    return told


for line in sys.stdin:
    print(json.dumps(play(json.loads(line))), flush=True)
