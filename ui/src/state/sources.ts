// The kinds of sources that triggers have, and what a form asks for each. What is left empty is left out, so that the
// platform's own defaults hold; whether it all works, the platform says.
import type { Source } from "../api/triggers";

export interface Field {
  name: string;
  label: string;
  kind: "text" | "list" | "choice" | "flag" | "number" | "secret";
  required?: boolean;
  hint?: string;
  choices?: readonly string[];
}
export type SourceKind = Source["kind"];

const secret = (about: string, required = false): Field => ({ name: "secret", label: "Secret", kind: "secret", hint: about, required });
const text = (name: string, label: string, hint = "", required = false): Field => ({ name, label, kind: "text", hint, required });
const list = (name: string, label: string, hint = "", required = false): Field => ({ name, label, kind: "list", hint, required });
const choice = (name: string, label: string, ...choices: string[]): Field => ({ name, label, kind: "choice", choices });
const tls: Field = { name: "tls", label: "TLS", kind: "flag" };
const port: Field = { name: "port", label: "Port", kind: "number", hint: "the usual one" };
const start = choice("start", "Begins with", "latest", "earliest");

export const SOURCES: Record<SourceKind, { label: string; about: string; fields: Field[] }> = {
  cron: {
    label: "Clock", about: "Calls at times that a schedule names.",
    fields: [text("schedule", "Schedule", "*/5 * * * *, or @every 90s", true), text("timezone", "Time zone", "UTC"), choice("missed", "Moments missed", "once", "skip")],
  },
  webhook: {
    label: "Webhook", about: "Signed requests at /hooks/NAMESPACE/TRIGGER of the gateway.",
    fields: [secret("one signing key a line", true), choice("scheme", "Signed as", "github", "stripe", "slack", "standard-webhooks", "plain"), text("header", "Header of the signature", "the scheme's own"), text("window", "Oldest signature", "5m"), text("max_body", "Largest body", "1Mi")],
  },
  event: {
    label: "CloudEvents", about: "Events that are posted to /v1/namespaces/NAMESPACE/events.",
    fields: [list("types", "Types", "all; com.example.*"), list("sources", "Sources", "all"), { name: "answers", label: "Events that functions answer with, too", kind: "flag" }],
  },
  function: {
    label: "Function", about: "Another function's queued call has ended.",
    fields: [text("name", "Function", "", true), choice("outcome", "When it", "success", "failure", "both")],
  },
  nats: {
    label: "NATS", about: "Subjects of a NATS server.",
    fields: [list("servers", "Servers", "HOST or HOST:PORT", true), list("subjects", "Subjects", "orders.>", true), tls, text("queue", "Queue group"), text("durable", "JetStream consumer", "none: what comes meanwhile is lost"), start, secret("what lets it in")],
  },
  kafka: {
    label: "Kafka", about: "Topics of a Kafka cluster.",
    fields: [list("brokers", "Brokers", "HOST or HOST:PORT", true), list("topics", "Topics", "", true), tls, choice("sasl", "SASL", "plain", "scram-sha-256", "scram-sha-512"), text("group", "Consumer group", "one of its own"), start, secret("user and password")],
  },
  mqtt: {
    label: "MQTT", about: "Topics of an MQTT broker.",
    fields: [text("host", "Host", "", true), port, tls, list("topics", "Topics", "sensors/+/temperature", true), choice("qos", "Quality of service", "1", "0", "2"), text("client_id", "Client id", "one of its own"), secret("user and password")],
  },
  amqp: {
    label: "AMQP", about: "A queue of RabbitMQ, or an exchange.",
    fields: [text("host", "Host", "", true), port, tls, text("vhost", "Virtual host", "/"), text("queue", "Queue"), text("exchange", "Exchange"), list("routing_keys", "Routing keys", "all"), secret("user and password")],
  },
  redis: {
    label: "Redis", about: "Streams of a Redis server.",
    fields: [text("host", "Host", "", true), port, tls, { name: "db", label: "Database", kind: "number", hint: "0" }, list("streams", "Streams", "", true), text("group", "Consumer group", "one of its own"), text("field", "Field that is the data", "all of them"), start, secret("user and password")],
  },
  postgresql: {
    label: "PostgreSQL", about: "NOTIFY, or the rows of an outbox.",
    fields: [text("host", "Host", "", true), port, tls, text("database", "Database", "", true), list("channels", "Channels"), text("outbox", "Outbox table", "TABLE or SCHEMA.TABLE"), secret("user and password", true)],
  },
  s3: {
    label: "S3 bucket", about: "Objects that come into a bucket or go.",
    fields: [text("endpoint", "Endpoint", "the scheme and the host, as its URL begins", true), text("bucket", "Bucket", "", true), text("prefix", "Prefix"), text("suffix", "Suffix", ".jpg"), list("events", "Events", "created"), text("region", "Region", "us-east-1"), text("interval", "Looked at every", "30s"), start, secret("access key and secret key")],
  },
  files: {
    label: "Folder", about: "Files that somebody puts into a folder of the machine; the administrator's alone.",
    fields: [text("folder", "Folder", "/srv/inbox", true), text("pattern", "Names", "*.csv"), choice("taken", "A file that was delivered is", "move", "delete", "keep"), choice("body", "The function gets its", "content", "name"), text("max_size", "Largest file", "8Mi"), text("interval", "Looked at every", "1s")],
  },
};

export const KINDS = Object.keys(SOURCES) as SourceKind[];

/** What a form says of a source, by its fields. */
export type Said = Record<string, string | boolean>;

/** Return the source that a form's words mean: what is empty is not said. */
export function sourceOf(kind: SourceKind, said: Said, secret: string): Source {
  const source: Record<string, unknown> = { kind };
  for (const { name, kind: form } of SOURCES[kind].fields) {
    const value = form === "secret" ? secret : said[name];
    if (value === undefined || value === "" || value === false) continue;
    if (form === "list") source[name] = String(value).split(/[\s,]+/).filter(Boolean);
    else if (form === "number" || name === "qos") source[name] = Number(value);
    else source[name] = typeof value === "string" ? value.trim() : value;
  }
  return source as unknown as Source;
}

/** Return the words of a form that mean this source. Throws an error for a kind that no form is known of. */
export function saidOf({ kind, secret: _secret, ...rest }: Source): Said {
  if (!(kind in SOURCES)) throw new Error(`There is no form for a source of the kind ${String(kind)}`);
  return Object.fromEntries(
    Object.entries(rest).map(([name, value]) => [name, typeof value === "boolean" ? value : Array.isArray(value) ? value.join(", ") : String(value)]),
  );
}

/** The source in a few words. */
export function wordsOf(source: Source): string {
  const { kind, ...rest } = source;
  const first = SOURCES[kind].fields.filter(({ required, kind: form }) => required && form !== "secret");
  return first.map(({ name }) => String((rest as Record<string, unknown>)[name] ?? "")).filter(Boolean).join(", ");
}
