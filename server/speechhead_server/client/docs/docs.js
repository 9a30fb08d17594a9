/** The routes of the server, from its own openapi.json: nothing is loaded from elsewhere, and the token goes with it. */

const ORDER = ["get", "post", "patch", "delete"];
const about = document.getElementById("about");
const routes = document.getElementById("routes");
const token = sessionStorage.getItem("speechhead-token") ?? "";

function element(name, text = "", ...children) {
  const made = document.createElement(name);
  made.textContent = text;
  made.append(...children);
  return made;
}

/** A text whose words between backticks are code. */
function prose(text) {
  return element("span", "", ...text.split("`").map((part, number) => (number % 2 ? element("code", part) : part)));
}

function table(head, rows) {
  const cells = (kind, values) => element("tr", "", ...values.map((value) => element(kind, value)));
  return element("table", "", element("thead", "", cells("th", head)), element("tbody", "", ...rows.map((row) => cells("td", row))));
}

/** A type in words, such as "text or number". */
function kind(schema, all) {
  if (!schema) return "";
  if (schema.$ref) return schema.$ref.split("/").pop();
  const parts = schema.anyOf ?? schema.oneOf;
  if (parts) return parts.map((part) => kind(part, all)).filter((word) => word !== "null").join(" or ");
  if (schema.enum) return schema.enum.map((value) => JSON.stringify(value)).join(" or ");
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.type === "array") return `[${kind(schema.items, all) || (schema.prefixItems ?? []).map((item) => kind(item, all)).join(", ")}]`;
  return { string: "text", integer: "number" }[schema.type] ?? schema.type ?? "";
}

function fields(schema, all) {
  const named = schema?.$ref ? all[schema.$ref.split("/").pop()] : schema;
  const known = Object.assign({}, named?.properties, ...(named?.anyOf ?? []).map((one) => one.properties)); // of all kinds
  return Object.entries(known).map(([name, field]) => [name, kind(field, all), field.description ?? ""]);
}

function route(method, path, said, all) {
  const made = element("details", "", element("summary", "", element("code", `${method.toUpperCase()} ${path}`), prose(said.description ?? said.summary ?? "")));
  const parameters = (said.parameters ?? []).filter((parameter) => parameter.in !== "path");
  if (parameters.length) {
    made.append(table(["parameter", "type", "where"], parameters.map((one) => [one.name, kind(one.schema, all), one.in])));
  }
  for (const [type, body] of Object.entries(said.requestBody?.content ?? {})) {
    const rows = fields(body.schema, all);
    made.append(element("p", `Body: ${type}`));
    if (rows.length) made.append(table(["field", "type", "meaning"], rows));
  }
  made.append(table(["status", "answer"], Object.entries(said.responses ?? {}).map(([status, answer]) => [status, answer.description ?? ""])));
  return made;
}

async function show() {
  const response = await fetch("../openapi.json", { headers: token ? { Authorization: `Bearer ${token}` } : {} });
  if (!response.ok) {
    about.textContent = response.status === 401 ? "Open the page first, with the server's token; then come back." : `The server answered ${response.status}.`;
    return;
  }
  const schema = await response.json();
  const all = schema.components?.schemas ?? {};
  about.replaceChildren(prose(`${schema.info.title} ${schema.info.version}. ${schema.info.description ?? ""}`));
  const groups = new Map();
  for (const [path, methods] of Object.entries(schema.paths)) {
    for (const method of ORDER.filter((name) => methods[name])) {
      const group = methods[method].tags?.[0] ?? "other";
      if (!groups.has(group)) groups.set(group, []);
      groups.get(group).push(route(method, path, methods[method], all));
    }
  }
  for (const [group, made] of groups) routes.append(element("h2", group), ...made);
  const file = new Blob([JSON.stringify(schema, null, 1)], { type: "application/json" });
  document.getElementById("schema").href = URL.createObjectURL(file);
}

show().catch(() => (about.textContent = "The server does not answer. Check that it runs."));
