// The official OpenAI SDK for JavaScript, as its users call it: a task as JSON on each line of standard input, and
// what became of it on a line of standard output.

import { createRequire } from "node:module";
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";

// Installed elsewhere, so as not to litter the sources.
const require = createRequire(pathToFileURL(process.env.NODE_HOME + "/"));
const OpenAI = require("openai").default;

const MODEL = "gpt-5-mini";
const messages = [{ role: "user", content: "Where is the castle?" }];
const parameters = { type: "object", properties: { city: { type: "string" } }, required: ["city"] };
const tools = [{ type: "function", function: { name: "get_weather", parameters } }];

const tasks = {
  async plain(client) {
    const answer = await client.chat.completions.create({ model: MODEL, messages });
    const [choice] = answer.choices;
    return { text: choice.message.content, finish: choice.finish_reason, tokens: answer.usage.total_tokens };
  },
  async stream(client, told) {
    Object.assign(told, { text: "", finish: null });
    const chunks = await client.chat.completions.create({ model: MODEL, messages, stream: true });
    for await (const chunk of chunks) {
      for (const choice of chunk.choices) {
        told.text += choice.delta.content ?? "";
        told.finish = choice.finish_reason ?? told.finish;
      }
    }
    return told;
  },
  async leave(client) {
    const chunks = await client.chat.completions.create({ model: MODEL, messages, stream: true });
    for await (const chunk of chunks) {
      chunks.controller.abort();
      return { left: chunk.object };
    }
  },
  async tools(client) {
    const answer = await client.chat.completions.create({ model: MODEL, messages, tools });
    const [choice] = answer.choices;
    const call = choice.message.tool_calls[0].function;
    return { tool: call.name, is_json: typeof JSON.parse(call.arguments) === "object", finish: choice.finish_reason };
  },
  async respond(client) {
    const answer = await client.responses.create({ model: MODEL, input: "Where is the castle?" });
    return { text: answer.output_text, finish: answer.status };
  },
};

function failure(error) {
  const told = { class: error.constructor.name, status_code: error.status ?? null };
  told.code = error.code ?? null;
  told.type = error.type ?? null;
  told.retry_after = error.headers?.get?.("retry-after") ?? null;
  return told;
}

for await (const line of createInterface({ input: process.stdin })) {
  const task = JSON.parse(line);
  const client = new OpenAI({
    apiKey: task.key ?? "sk-client",
    baseURL: task.base_url,
    maxRetries: task.max_retries ?? 2,
    defaultHeaders: task.default_headers ?? {},
  });
  let told = {};
  try {
    told = await tasks[task.task](client, told);
  } catch (error) {
    told.error = failure(error);
  }
  console.log(JSON.stringify(told));
}
