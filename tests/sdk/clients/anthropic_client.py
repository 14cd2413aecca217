"""The official Anthropic SDK for Python, as its users call it: a task as JSON on each line of standard input, and
what became of it on a line of standard output."""

import json
import sys

import anthropic

ASKED = {
    "model": "claude-sonnet-5",
    "max_tokens": 99,
    "messages": [{"role": "user", "content": "Where is the castle?"}],
}
TOOLS = [
    {
        "name": "get_weather",
        "description": "The weather of a city",
        "input_schema": {
            "type": "object",
            "properties": {"city": {"type": "string"}},
            "required": ["city"],
        },
    }
]


def plain(client):
    answer = client.messages.create(**ASKED)
    tokens = answer.usage.input_tokens + answer.usage.output_tokens
    return {"text": answer.content[0].text, "finish": answer.stop_reason, "tokens": tokens}


def stream(client, told):
    told.update(text="", finish=None)
    with client.messages.stream(**ASKED) as events:
        for text in events.text_stream:
            told["text"] += text
        told["finish"] = events.get_final_message().stop_reason
    return told


def leave(client):
    with client.messages.stream(**ASKED) as events:
        return {"left": next(iter(events)).type}


def tools(client):
    answer = client.messages.create(**ASKED, tools=TOOLS)
    call = [block for block in answer.content if block.type == "tool_use"][0]
    return {"tool": call.name, "is_json": isinstance(call.input, dict), "finish": answer.stop_reason}


def count(client):
    asked = {key: ASKED[key] for key in ("model", "messages")}
    return {"counted": client.messages.count_tokens(**asked).input_tokens > 0}


STREAMS = {"stream": stream}
WHOLES = {"plain": plain, "leave": leave, "tools": tools, "count": count}


def failure(error):
    """What a caller can tell the error by."""
    told = {"class": type(error).__name__, "status_code": getattr(error, "status_code", None)}
    body = getattr(error, "body", None)
    if isinstance(body, dict):
        told["type"] = (body.get("error") or {}).get("type")
    response = getattr(error, "response", None)
    if response is not None:
        told["retry_after"] = response.headers.get("retry-after")
    return told


def play(task):
    keys = ("base_url", "max_retries", "timeout", "default_headers")
    settings = {key: task[key] for key in keys if key in task}
    client = anthropic.Anthropic(api_key=task.get("key", "sk-client"), **settings)
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
