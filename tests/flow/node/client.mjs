// One scenario with the official client: `node client.mjs <scenario> [extra request fields as JSON]`.
// Address and key come from OPENAI_BASE_URL and OPENAI_API_KEY, as in any program that is moved to the gateway.
// Prints one JSON object: what the scenario saw, or `raised` with the class of the error.

import OpenAI from "openai";

const [scenario, extra = "{}"] = process.argv.slice(2);
const client = new OpenAI({ maxRetries: 0, timeout: 30_000 });
const request = {
  model: "sim/story",
  messages: [{ role: "user", content: "Tell me a story." }],
  ...JSON.parse(extra),
};
const tools = [
  {
    type: "function",
    function: {
      name: "weather",
      parameters: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
    },
  },
];

const scenarios = {
  async plain() {
    const { data, response } = await client.chat.completions.create(request).withResponse();
    return {
      content: data.choices[0].message.content,
      finish_reason: data.choices[0].finish_reason,
      usage: data.usage,
      request_id: response.headers.get("x-request-id"),
      charge: Number(response.headers.get("x-tollway-charge-microdollars")),
    };
  },

  async stream() {
    const seen = { content: "", finish_reason: null, usage: null };
    const options = { ...request, stream: true, stream_options: { include_usage: true } };
    for await (const chunk of await client.chat.completions.create(options)) {
      seen.content += chunk.choices[0]?.delta?.content ?? "";
      seen.finish_reason = chunk.choices[0]?.finish_reason ?? seen.finish_reason;
      seen.usage = chunk.usage ?? seen.usage;
    }
    return seen;
  },

  async tools() {
    return useTool(await client.chat.completions.create({ ...request, model: "sim/toolsmith", tools }));
  },

  async streamed_tools() {
    const stream = client.chat.completions.stream({ ...request, model: "sim/toolsmith", tools });
    return useTool(await stream.finalChatCompletion());
  },

  async models() {
    const ids = [];
    for await (const model of client.models.list()) ids.push(model.id);
    return { ids };
  },
};

async function useTool(asked) {
  const { finish_reason, message } = asked.choices[0];
  const [call] = message.tool_calls;
  const said = { role: "assistant", content: message.content, tool_calls: message.tool_calls };
  const result = { role: "tool", tool_call_id: call.id, content: "rain, 12 °C" };
  const messages = [...request.messages, said, result];
  const final = await client.chat.completions.create({ ...request, model: "sim/toolsmith", messages, tools });
  return {
    finish_reason,
    name: call.function.name,
    arguments: JSON.parse(call.function.arguments),
    answer: final.choices[0].message.content,
  };
}

function describe(error) {
  if (!(error instanceof OpenAI.APIError)) throw error;
  return { raised: error.constructor.name, status: error.status ?? null, message: error.message };
}

console.log(JSON.stringify(await scenarios[scenario]().catch(describe)));
