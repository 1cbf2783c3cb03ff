// Written by scripts/ui_types.py from the API's own description. Do not edit.

/** One thing that a rule found, or that an Alertmanager told of. */
export interface Alert {
  id: string;
  rule: string;
  namespace: string;
  kind: "budget" | "certificate" | "cold_starts" | "dead_letters" | "disk" | "error_rate" | "incoming" | "latency" | "no_traffic" | "promql" | "queue_depth" | "replicas" | "restarts";
  severity: "critical" | "info" | "warning";
  state: "firing" | "pending" | "resolved";
  labels: Record<string, string>;
  value: number;
  text: string;
  summary?: string;
  pending_unix_ms: number;
  fired_unix_ms?: number;
  resolved_unix_ms?: number;
  silences?: Array<string>;
}

/** What is watched, and when that is an alert. Spans of time are written as `5m`. */
export interface AlertRule {
  name: string;
  namespace?: string;
  kind: "budget" | "certificate" | "cold_starts" | "dead_letters" | "disk" | "error_rate" | "latency" | "no_traffic" | "promql" | "queue_depth" | "replicas" | "restarts";
  function?: string;
  threshold?: number | null;
  direction?: "above" | "below" | null;
  resolve?: number | null;
  window?: string;
  quantile?: number;
  expr?: string;
  for?: string;
  keep_firing_for?: string;
  severity?: "critical" | "info" | "warning";
  summary?: string;
  labels?: Record<string, string>;
  receivers?: Array<string>;
  paused?: boolean;
}

/** An Alertmanager, or what takes the webhooks of one. The secret is a bearer token, if one is needed. */
export interface AlertmanagerTarget {
  kind: "alertmanager";
  url: string;
  format?: "api" | "webhook";
}

/** So much within a day of the calendar, a month, or both, in UTC. */
export interface Amounts {
  day?: number | null;
  month?: number | null;
}

/** A queue of RabbitMQ or another broker of AMQP 0-9-1, or an exchange, for which it has a queue of its own. */
export interface AmqpSource {
  kind: "amqp";
  secret?: string;
  host: string;
  port?: number;
  tls?: boolean;
  vhost?: string;
  queue?: string;
  exchange?: string;
  routing_keys?: Array<string>;
}

/** A chat, a telephone and a hundred others, through the library apprise. The secret is its URLs, one a line. */
export interface AppriseTarget {
  kind: "apprise";
}

/** Wait until a person approves; a rejection fails with the code `rejected`. */
export interface Approval {
  do: "approval";
  name: string;
  retry?: Retry | null;
  catch?: Catch | null;
  timeout?: string;
  prompt?: string;
}

/** An entry of the log. */
export interface AuditEntry {
  at?: number;
  who: string;
  role?: string;
  address?: string;
  action: string;
  namespace?: string;
  target?: string;
  status?: number;
  changes?: Array<Change>;
  sequence: number;
  hash: string;
}

/** An entry's place in the chain: noted elsewhere, it shows later that nothing up to it was altered or cut off. */
export interface AuditHead {
  sequence: number;
  hash: string;
}

/** What checking the chain came to. */
export interface AuditVerdict {
  whole: boolean;
  entries: number;
  anchor: AuditHead;
  head: AuditHead;
  broken?: number;
  reason?: string;
}

/** A name and a password; the secret holds one `NAME:PASSWORD` a line. */
export interface BasicAuth {
  kind: "basic";
  secret: string;
}

/** Steps that are taken when a condition holds. */
export interface Branch {
  when: string;
  steps: Array<Call | Code | Set | Choice | Parallel | Map | Filter | Split | Delay | Wait | Approval | Group | Fail>;
}

/** What is to change in a function's budget, as `Allowances.changed` reads it. */
export interface BudgetChange {
  budget: Array<string>;
}

/** A budget; its name and namespace may be left out, since the path says them. */
export interface BudgetRequest {
  name?: string;
  namespace?: string;
  function?: string;
  calls?: Counts | null;
  cpu_seconds?: Amounts | null;
  gib_seconds?: Amounts | null;
}

/** What somebody wants a budget to be; the measures are those of `allowance`. */
export interface BudgetSpec {
  name: string;
  namespace?: string;
  function?: string;
  calls?: Counts | null;
  cpu_seconds?: Amounts | null;
  gib_seconds?: Amounts | null;
}

/** A budget, what keeps it from counting, and how far it is used. */
export interface BudgetStanding {
  spec: BudgetSpec;
  created_unix_ms: number;
  updated_unix_ms: number;
  trouble?: string;
  allowances?: Array<BudgetStatus>;
}

/** One allowance and how much of it is used. */
export interface BudgetStatus {
  namespace: string;
  function?: string;
  measure: "calls" | "cpu_seconds" | "gib_seconds";
  period: "day" | "month";
  amount: number;
  used: number;
  state: "over 75 %" | "over 90 %" | "used up" | "within";
  ends_unix_ms: number;
  budget?: string;
}

/** A namespace's secret for signing sources. */
export interface BuilderSecret {
  namespace: string;
  secret: string;
}

/** An uploaded code bundle. */
export interface BundleReceipt {
  digest: string;
  size_bytes: number;
}

/** Call a function; its answer is the result. */
export interface Call {
  do: "call";
  name: string;
  retry?: Retry | null;
  catch?: Catch | null;
  timeout?: string;
  function: string;
  body?: string;
}

/** What a call was sent and what it answered, as it is kept. What was redacted reads `[redacted]`. */
export interface CallPayload {
  number?: number;
  method: string;
  target: string;
  headers: Array<[string, string]>;
  body: string;
  body_cut?: boolean;
  redacted?: Array<string>;
  status: number;
  answer_headers: Array<[string, string]>;
  answer_body: string;
  answer_cut?: boolean;
  redact?: Array<string>;
}

/** A queued call, for its callers. */
export interface CallStatus {
  id: string;
  function: string;
  namespace: string;
  state: "answering" | "cancelled" | "dead" | "done" | "queued" | "retrying" | "running";
  attempts: number;
  accepted_unix_ms: number;
  due_unix_ms?: number;
  finished_unix_ms?: number;
  status?: number;
  reason?: string;
  seconds?: number;
  headers?: Array<[string, string]>;
  body?: string;
  dropped_bytes?: number;
}

/** A trial with a part of the calls. Call `check()` on one that came from outside. */
export interface Canary {
  weight: number;
  window?: string;
  errors?: number;
  p95?: number;
  calls?: number;
  promote?: boolean;
}

/** What is done when a step has failed for good; the result of the last of these steps is then the step's. */
export interface Catch {
  steps: Array<Call | Code | Set | Choice | Parallel | Map | Filter | Split | Delay | Wait | Approval | Group | Fail>;
  on?: Array<string>;
}

/** One member of what should be, before and after; null where there was none. */
export interface Change {
  path: string;
  before?: unknown;
  after?: unknown;
}

/** What a file is to hold: a text, or any bytes. */
export interface ChangedFile {
  path: string;
  text?: string;
  base64?: string;
  executable?: boolean | null;
}

/** Take the steps of the first branch whose condition holds, else those of `otherwise`. */
export interface Choice {
  do: "choice";
  name: string;
  retry?: Retry | null;
  catch?: Catch | null;
  timeout?: string;
  branches: Array<Branch>;
  otherwise?: Array<Call | Code | Set | Choice | Parallel | Map | Filter | Split | Delay | Wait | Approval | Group | Fail>;
}

/** Let a function say what comes next: `async def flow(ctx, input)`; what it returns is the result. */
export interface Code {
  do: "code";
  name: string;
  retry?: Retry | null;
  catch?: Catch | null;
  timeout?: string;
  function: string;
  body?: string;
}

/** A container or pod of this installation. */
export interface Container {
  id: string;
  name: string;
  image: string;
  state: string;
  replica?: string;
  node?: string;
  created_unix_ms?: number;
  cores_used?: number | null;
  memory_bytes?: number | null;
}

/** An engine that answered. */
export interface ContainerEngine {
  name: string;
  version: string;
  socket: string;
  rootless?: boolean;
  missing?: Array<string>;
}

/** Which other sites' pages may call, and read what is answered. */
export interface Cors {
  origins: Array<string>;
  methods?: Array<string>;
  headers?: Array<string>;
  expose?: Array<string>;
  credentials?: boolean;
  max_age?: string;
}

/** What a namespace's functions used and cost between two moments, each the beginning of an hour in UTC. */
export interface CostReport {
  namespace: string;
  since_unix_ms: number;
  until_unix_ms: number;
  prices: Prices;
  functions: Array<FunctionCost>;
}

/** So many within a day of the calendar, a month, or both, in UTC. */
export interface Counts {
  day?: number | null;
  month?: number | null;
}

/** Processors. */
export interface CpuUsage {
  cores: number;
  seconds: Record<string, number>;
  load?: [number, number, number];
}

/** The clock. */
export interface CronSource {
  kind: "cron";
  secret?: string;
  schedule: string;
  timezone?: string;
  missed?: "once" | "skip";
}

/** Which dead letters are meant: these, those of a function, or with neither all. */
export interface DeadLetters {
  ids?: Array<string>;
  function?: string;
}

/** How much a function tells its author. */
export interface Debug {
  source?: string;
  debugger?: Debugger | null;
}

/** A debug adapter of debugpy on the platform's machine, waiting for the function to connect. */
export interface Debugger {
  port: number;
  version: string;
}

/** Wait for a time; what came before is the result. */
export interface Delay {
  do: "delay";
  name: string;
  retry?: Retry | null;
  catch?: Catch | null;
  timeout?: string;
  for?: string;
  until?: string;
}

/** A deployment; its name and namespace may be left out, since the path says them. */
export interface DeployRequest {
  name?: string;
  namespace?: string;
  bundle?: string;
  image?: string;
  lang?: string;
  runtime?: "exec" | "http" | "image" | "node" | "python" | "static";
  dialect?: "asgi" | "auto" | "flow" | "python" | "python-classic" | "python-flask" | "python-typed" | "wsgi";
  handler?: string;
  process?: string;
  env?: Record<string, string>;
  labels?: Record<string, string>;
  annotations?: Record<string, string>;
  secrets?: Array<string>;
  constraints?: Array<string>;
  limits?: Resources | null;
  requests?: Resources | null;
  timeout?: string;
  max_inflight?: number;
  concurrency?: "auto" | "inline" | "threads";
  read_only_root_filesystem?: boolean;
  network?: "host" | "none" | "proxy";
  allow?: Array<string>;
  debug?: Debug | null;
  max_body?: string;
  max_log_rate?: string;
}

/** What came back; its body follows. */
export interface DirectAnswer {
  status: number;
  headers: Array<[string, string]>;
  call_id: string;
  seconds: number;
  of_function: boolean;
}

/** What to ask a function; its body follows. */
export interface DirectCall {
  method?: string;
  target?: string;
  headers?: Array<[string, string]>;
}

/** The file system of the data folder, in bytes. */
export interface DiskUsage {
  path: string;
  total: number;
  used: number;
  available: number;
}

/** When a schedule is due next. */
export interface Due {
  next_unix_ms: Array<number>;
  trouble?: string;
}

/** Mail by a server of SMTP. The secret is the password, for who has a `username`. */
export interface EmailTarget {
  kind: "email";
  host: string;
  port?: number;
  security?: "none" | "starttls" | "tls";
  username?: string;
  sender: string;
  to: Array<string>;
}

/** Whether image functions can run now, and why not. */
export interface EngineState {
  engine?: ContainerEngine | null;
  reason?: string;
}

/** One way in which calls of a function failed. */
export interface ErrorRow {
  function: string;
  status: number;
  error: string;
  calls: number;
  example: string;
}

/** CloudEvents that somebody posts to `/v1/namespaces/NAMESPACE/events`. */
export interface EventSource {
  kind: "event";
  secret?: string;
  types?: Array<string>;
  sources?: Array<string>;
  answers?: boolean;
}

/** Fail with a code and a text of one's own. */
export interface Fail {
  do: "fail";
  name: string;
  retry?: Retry | null;
  catch?: Catch | null;
  timeout?: string;
  code?: string;
  message?: string;
}

/** Files that somebody puts into a folder of the machine. */
export interface FilesSource {
  kind: "files";
  secret?: string;
  folder: string;
  pattern?: string;
  taken?: "delete" | "keep" | "move";
  body?: "content" | "name";
  max_size?: string;
  interval?: string;
}

/** Keep the items of a list for which a condition holds. */
export interface Filter {
  do: "filter";
  name: string;
  retry?: Retry | null;
  catch?: Catch | null;
  timeout?: string;
  over: string;
  keep: string;
}

/** Why a step or a run failed; expressions in a catch see it as `error`. */
export interface FlowError {
  code: string;
  message: string;
  step?: string;
  status?: number;
  body?: unknown;
}

/** A flow; its name and namespace may be left out, since the path says them. */
export interface FlowRequest {
  name?: string;
  namespace?: string;
  description?: string;
  steps: Array<Call | Code | Set | Choice | Parallel | Map | Filter | Split | Delay | Wait | Approval | Group | Fail>;
  output?: string;
  timeout?: string;
}

/** A run, without its steps. */
export interface FlowRun {
  id: string;
  namespace: string;
  flow: string;
  spec: FlowSpec;
  input: unknown;
  started_unix_ms: number;
  started_by?: string;
  depth?: number;
  rerun_of?: string;
  rerun_from?: string;
  state?: "cancelled" | "done" | "failed" | "running";
  finished_unix_ms?: number;
  result?: unknown;
  error?: FlowError | null;
}

/** What somebody wants a flow to be; a flow's file holds just this. */
export interface FlowSpec {
  name: string;
  namespace?: string;
  description?: string;
  steps: Array<Call | Code | Set | Choice | Parallel | Map | Filter | Split | Delay | Wait | Approval | Group | Fail>;
  output?: string;
  timeout?: string;
}

/** A flow, and how many of its runs are under way. */
export interface FlowStatus {
  spec: FlowSpec;
  created_unix_ms: number;
  updated_unix_ms: number;
  runs_under_way?: number;
}

/** A line that a search found. */
export interface FoundLine {
  number: number;
  unix_ns: number;
  namespace: string;
  function: string;
  replica: string;
  stream: string;
  level: "debug" | "error" | "fatal" | "info" | "warning" | "";
  call_id: string;
  text: string;
}

/** What a search found, the newest first. */
export interface FoundLines {
  lines: Array<FoundLine>;
  before: number;
}

/** What one function used and cost. */
export interface FunctionCost {
  name: string;
  namespace: string;
  calls: number;
  cpu_seconds: number;
  gib_seconds: number;
  cost: number;
}

/** A function's identity: its namespace and its name within it. */
export interface FunctionKey {
  namespace: string;
  name: string;
}

/** Another function of the namespace, when a queued call of it has succeeded or has failed for good. */
export interface FunctionSource {
  kind: "function";
  secret?: string;
  name: string;
  outcome?: "both" | "failure" | "success";
}

/** A deployment: everything its author decides. Call `check()` on one that came from outside. */
export interface FunctionSpec {
  name: string;
  namespace?: string;
  bundle?: string;
  image?: string;
  lang?: string;
  runtime?: "exec" | "http" | "image" | "node" | "python" | "static";
  dialect?: "asgi" | "auto" | "flow" | "python" | "python-classic" | "python-flask" | "python-typed" | "wsgi";
  handler?: string;
  process?: string;
  env?: Record<string, string>;
  labels?: Record<string, string>;
  annotations?: Record<string, string>;
  secrets?: Array<string>;
  constraints?: Array<string>;
  limits?: Resources | null;
  requests?: Resources | null;
  timeout?: string;
  max_inflight?: number;
  concurrency?: "auto" | "inline" | "threads";
  read_only_root_filesystem?: boolean;
  network?: "host" | "none" | "proxy";
  allow?: Array<string>;
  debug?: Debug | null;
  max_body?: string;
  max_log_rate?: string;
}

/** A function: what was asked for and what is. */
export interface FunctionStatus {
  spec: FunctionSpec;
  revision: number;
  state: "building" | "failing" | "idle" | "ready" | "starting";
  reason?: string;
  fault?: "" | "crashed" | "import_failed" | "killed" | "lost" | "oom" | "pids" | "prepare_failed" | "start_failed" | "stopped" | "stuck" | "timeout" | "too_slow";
  desired_replicas: number;
  ready_replicas: number;
  invocations?: number;
  created_unix_ms: number;
  updated_unix_ms: number;
  url: string;
  exits?: Record<string, number>;
  sandbox_tier?: "A" | "A+" | "B" | "B-" | "C" | "";
  pinned_image?: string;
  cpu_s?: number;
  memory_bytes?: number;
  replicas?: Array<ReplicaStatus>;
  rollout?: RolloutStatus | null;
  outcome?: Outcome | null;
  budgets?: Array<BudgetStatus>;
}

/** One function's share. */
export interface FunctionUsage {
  name: string;
  namespace: string;
  revision: number;
  state: "building" | "failing" | "idle" | "ready" | "starting";
  desired_replicas: number;
  ready_replicas: number;
  inflight: number;
  waiting: number;
  calls: number;
  failed: number;
  latencies: Array<number>;
  exits?: Record<string, number>;
  cpu_s: number;
  memory_bytes: number;
  replicas?: Array<ReplicaStatus>;
}

/** One line of the list of functions. */
export interface Glance {
  name: string;
  namespace: string;
  state: "building" | "failing" | "idle" | "ready" | "starting";
  reason: string;
  replicas: number;
  desired_replicas: number;
  calls_total: number;
  error_rate: number | null;
  spark: Array<number>;
  updated_unix_ms: number;
  canary?: boolean;
}

/** What is new in a list since the event before; the first event of an answer tells the whole of it. */
export interface GlanceNews {
  namespaces: Array<string>;
  functions?: Array<Glance>;
  gone?: Array<[string, string]>;
}

/** Whom a host is granted to. */
export interface GrantRequest {
  namespace: string;
}

/** Take steps one after another, to be tried again, timed and caught together. */
export interface Group {
  do: "group";
  name: string;
  retry?: Retry | null;
  catch?: Catch | null;
  timeout?: string;
  steps: Array<Call | Code | Set | Choice | Parallel | Map | Filter | Split | Delay | Wait | Approval | Group | Fail>;
}

/** What became of a message. */
export interface Heard {
  alerts: number;
}

/** A signature of whoever sends a webhook: HMAC-SHA256 over the body, by a key of the secret, one a line. */
export interface HmacAuth {
  kind: "hmac";
  secret: string;
  scheme?: "github" | "plain" | "stripe";
  header?: string;
  window?: string;
  max_body?: string;
}

/** A host that a namespace may use in its routes. */
export interface HostGrant {
  host: string;
  namespace: string;
}

/** An image that functions use, or the engine has for us. */
export interface Image {
  name: string;
  functions?: Array<string>;
  size_bytes?: number | null;
}

/** A call that is over. */
export interface Invocation {
  number?: number;
  id: string;
  function: string;
  namespace: string;
  revision?: number;
  replica?: string;
  caller?: string;
  address?: string;
  trigger: string;
  method: string;
  path: string;
  started_unix_ms: number;
  wait_ms?: number;
  init_ms?: number;
  run_ms?: number;
  cold?: boolean;
  cpu_ms?: number | null;
  memory_bytes?: number | null;
  status: number;
  request_bytes?: number;
  response_bytes?: number;
  error?: string;
  trace?: string;
}

/** A token that was just made; nobody can ask for its text again. */
export interface IssuedToken {
  token: string;
  status: TokenStatus;
}

/** What somebody says of a step that waits for approval. */
export interface Judgement {
  approve: boolean;
  comment?: string;
}

/** A JSON Web Token, given as `Authorization: Bearer TOKEN`, of this issuer and for one of these audiences. */
export interface JwtAuth {
  kind: "jwt";
  issuer: string;
  audience: Array<string>;
  algorithms?: Array<string>;
  jwks?: Record<string, unknown> | null;
  secret?: string;
  leeway?: string;
}

/** Topics of a Kafka cluster. */
export interface KafkaSource {
  kind: "kafka";
  secret?: string;
  brokers: Array<string>;
  tls?: boolean;
  sasl?: "plain" | "scram-sha-256" | "scram-sha-512";
  topics: Array<string>;
  group?: string;
  start?: "earliest" | "latest";
}

/** A key, given as `Authorization: Bearer KEY`, as `X-Api-Key: KEY`, or in the header named here alone. */
export interface KeyAuth {
  kind: "key";
  secret: string;
  header?: string;
}

/** What a change of the key that encrypts secrets came to. Keys are named by their fingerprints. */
export interface KeyRotation {
  key: string;
  retired?: Array<string>;
  left?: Array<string>;
  secrets?: number;
}

/** One line of a function's output, or of the platform about the function (`stream` is then `platform`). */
export interface LogLine {
  unix_ns: number;
  key: FunctionKey;
  replica: string;
  stream: string;
  call_id: string;
  text: string;
}

/** The machine, or the cluster, and what runs there. */
export interface Machine {
  kind: string;
  usage: MachineUsage;
  nodes: Array<Node>;
  processes?: Array<Process>;
  replicas?: Array<MachineReplica>;
  containers?: Array<Container>;
  images?: Array<Image>;
  notes?: Array<string>;
}

/** A replica, wherever it runs. */
export interface MachineReplica {
  id: string;
  function: string;
  namespace: string;
  revision: number;
  phase: string;
  runtime: string;
  image?: string;
  cpu_s: number;
  memory_bytes: number;
  started_unix_ms: number;
  node?: string;
}

/** A machine now. */
export interface MachineUsage {
  at_unix_ms: number;
  boot: string;
  cpu: CpuUsage;
  memory: MemoryUsage;
  disk: DiskUsage | null;
  network: NetworkUsage;
}

/** Take steps for each item of a list, several at once; the result is the list of theirs, in the same order. */
export interface Map {
  do: "map";
  name: string;
  retry?: Retry | null;
  catch?: Catch | null;
  timeout?: string;
  over: string;
  steps: Array<Call | Code | Set | Choice | Parallel | Map | Filter | Split | Delay | Wait | Approval | Group | Fail>;
  concurrency?: number;
}

/** A label and what it has to be, or must not be. A `*` in the value stands for any text. */
export interface Matcher {
  name: string;
  value: string;
  is_equal?: boolean;
}

/** Memory, in bytes. */
export interface MemoryUsage {
  total: number;
  used: number;
  available: number;
  swap_total?: number;
  swap_used?: number;
}

/** How many calls something was done with. */
export interface Moved {
  calls: number;
}

/** Topics of an MQTT broker. */
export interface MqttSource {
  kind: "mqtt";
  secret?: string;
  host: string;
  port?: number;
  tls?: boolean;
  topics: Array<string>;
  qos?: 0 | 1 | 2;
  client_id?: string;
}

/** What is to be true of a namespace; what is left out is as a new one has it. */
export interface NamespaceChange {
  labels?: Record<string, string>;
  annotations?: Record<string, string>;
  quota?: Quota;
}

/** A namespace as the API tells of it: what was asked for and what is. */
export interface NamespaceStatus {
  name: string;
  labels: Record<string, string>;
  annotations: Record<string, string>;
  quota: Quota;
  used: NamespaceUsage;
  created_unix_ms: number;
  budgets?: Array<BudgetStatus>;
}

/** Subjects of a NATS server. */
export interface NatsSource {
  kind: "nats";
  secret?: string;
  servers: Array<string>;
  tls?: boolean;
  subjects: Array<string>;
  queue?: string;
  durable?: string;
  start?: "earliest" | "latest";
}

/** All interfaces but the loopback, in bytes since the machine started. */
export interface NetworkUsage {
  received: number;
  sent: number;
}

/** A machine that replicas run on. */
export interface Node {
  name: string;
  ready?: boolean;
  cores?: number;
  memory_bytes?: number;
  pods?: number;
  version?: string;
  cores_used?: number | null;
  memory_used_bytes?: number | null;
}

/** How a function's last rollout ended. */
export interface Outcome {
  revision: number;
  verdict: "promoted" | "replaced" | "returned";
  reason: string;
  ended_unix_ms: number;
}

/** Take several branches at once; the result has theirs under their names. */
export interface Parallel {
  do: "parallel";
  name: string;
  retry?: Retry | null;
  catch?: Catch | null;
  timeout?: string;
  branches: Record<string, Array<Call | Code | Set | Choice | Parallel | Map | Filter | Split | Delay | Wait | Approval | Group | Fail>>;
  concurrency?: number;
}

/** A line that a process, container or pod of the platform has written. */
export interface PartLine {
  unix_ns: number;
  part: string;
  level?: string;
  logger?: string;
  text: string;
  call_id?: string;
}

/** An alert from when it began to fire until it was resolved, as it was when it began. */
export interface PastAlert {
  number: number;
  id: string;
  rule: string;
  namespace: string;
  severity: "critical" | "info" | "warning";
  state: "firing" | "resolved";
  labels: Record<string, string>;
  value: number;
  text: string;
  fired_unix_ms: number;
  resolved_unix_ms?: number;
}

/** The installation itself. */
export interface PlatformInfo {
  version: string;
  provider: string;
  architecture: string;
  default_namespace: string;
  gateway_url: string;
  console_url: string;
  metrics_url: string;
  functions: number;
  gateways: number;
  sandbox?: Sandbox | null;
  engine?: EngineState;
  caller?: Principal | null;
}

/** Channels that a database is told by NOTIFY, or a table of its rows as an outbox, or both. */
export interface PostgresqlSource {
  kind: "postgresql";
  secret?: string;
  host: string;
  port?: number;
  tls?: boolean;
  database: string;
  channels?: Array<string>;
  outbox?: string;
}

/** What one of each costs; all of nothing where nobody has set prices, and then there are quantities alone. */
export interface Prices {
  call?: number;
  cpu_second?: number;
  gib_second?: number;
  currency?: string;
}

/** Who is asking, as the credential says. */
export interface Principal {
  name: string;
  role: "admin" | "deploy" | "invoke" | "query" | "view";
  namespace: string | null;
  token?: string;
}

/** An error as RFC 9457 (application/problem+json) tells it, with our members beside the standard ones. */
export interface Problem {
  type: string;
  title: string;
  status: number;
  detail: string;
  instance?: string;
  code: string;
  retryable?: boolean;
  hint?: string;
  call_id?: string;
}

/** A process of the platform or of a function. */
export interface Process {
  pid: number;
  parent: number;
  role: string;
  name: string;
  function?: string;
  revision?: number;
  replica?: string;
  cpu_s: number;
  memory_bytes: number;
  started_unix_ms: number;
  log?: string;
}

/** What became of posted events. */
export interface Published {
  events: number;
  delivered: number;
}

/** What a query found. */
export interface QueryAnswer {
  columns: Array<QueryColumn>;
  rows: Array<Array<unknown>>;
  truncated: boolean;
}

/** A column of an answer. */
export interface QueryColumn {
  name: string;
  type: "blob" | "integer" | "mixed" | "null" | "real" | "text";
}

/** A query, and how many rows of its answer are wanted. */
export interface QueryRequest {
  sql: string;
  limit?: number;
}

/** What a namespace may use at most, in sum; what is left out has no limit of the namespace's own. */
export interface Quota {
  functions?: number | null;
  replicas?: number | null;
  memory?: string;
  cpu?: string;
  body?: string;
  log_rate?: string;
}

/** How many calls each client may make in a span of time; what is not used is not saved up beyond one span. */
export interface RateLimit {
  calls: number;
  window?: string;
  by?: string;
}

/** Who is told, of what, and how often. */
export interface Receiver {
  name: string;
  namespace?: string;
  target: EmailTarget | SlackTarget | WebhookTarget | AlertmanagerTarget | AppriseTarget;
  matchers?: Array<Matcher>;
  min_severity?: "critical" | "info" | "warning";
  group_by?: Array<string>;
  group_wait?: string;
  group_interval?: string;
  repeat_interval?: string;
  send_resolved?: boolean;
}

/** A receiver; its name and namespace may be left out, since the address says them. */
export interface ReceiverRequest {
  name?: string;
  namespace?: string;
  target: EmailTarget | SlackTarget | WebhookTarget | AlertmanagerTarget | AppriseTarget;
  matchers?: Array<Matcher>;
  min_severity?: "critical" | "info" | "warning";
  group_by?: Array<string>;
  group_wait?: string;
  group_interval?: string;
  repeat_interval?: string;
  send_resolved?: boolean;
  secret?: string | null;
}

/** A receiver, and how it does. */
export interface ReceiverStatus {
  receiver: Receiver;
  has_secret: boolean;
  secret_unix_ms?: number;
  created_unix_ms: number;
  updated_unix_ms: number;
  sent?: number;
  sent_unix_ms?: number;
  trouble?: string;
}

/** Streams of a Redis server. */
export interface RedisSource {
  kind: "redis";
  secret?: string;
  host: string;
  port?: number;
  tls?: boolean;
  db?: number;
  streams: Array<string>;
  group?: string;
  start?: "earliest" | "latest";
  field?: string;
}

/** A call and what came of making it once more. */
export interface Replay {
  function: string;
  method: string;
  target: string;
  old: ReplaySide;
  new: ReplaySide;
}

/** How a call is to be made once more. */
export interface ReplayOrder {
  number?: number;
  revision?: number;
  request?: ReplayedRequest | null;
}

/** One of the two answers, with what the function has redacted. */
export interface ReplaySide {
  call_id: string;
  revision: number;
  status: number;
  headers: Array<[string, string]>;
  body: string;
  cut: boolean;
  milliseconds: number;
}

/** What to send instead of what was sent then. */
export interface ReplayedRequest {
  method?: string;
  target?: string;
  headers?: Array<[string, string]>;
  body?: string;
}

/** One replica of a function. */
export interface ReplicaStatus {
  id: string;
  phase: string;
  revision: number;
  started_unix_ms: number;
  cpu_s?: number;
  memory_bytes?: number;
}

/** Everything that is in a report. */
export interface ReportFigures {
  title: string;
  namespace: string;
  zone: string;
  since_unix_ms: number;
  until_unix_ms: number;
  total: ReportRow;
  functions: Array<ReportRow>;
  more_functions?: number;
  namespaces?: Array<ReportRow>;
  errors?: Array<ErrorRow>;
  alerts?: Array<PastAlert>;
  steps?: Array<Step>;
  currency?: string;
  has_prices?: boolean;
}

/** A report; its name and namespace may be left out, since the address says them. */
export interface ReportRequest {
  name?: string;
  namespace?: string;
  every: "day" | "month" | "week";
  at?: string;
  zone?: string;
  receivers?: Array<string>;
  paused?: boolean;
}

/** A function or a namespace, and what it did in the time before. */
export interface ReportRow {
  name: string;
  now: Sums;
  before: Sums;
}

/** A report that is wanted: a day's each day, a week's each Monday, a month's on its first day. */
export interface ReportSpec {
  name: string;
  namespace?: string;
  every: "day" | "month" | "week";
  at?: string;
  zone?: string;
  receivers?: Array<string>;
  paused?: boolean;
}

/** A report, and how it does. */
export interface ReportStatus {
  report: ReportSpec;
  created_unix_ms: number;
  updated_unix_ms: number;
  next_unix_ms: number;
  sent_unix_ms?: number;
  trouble?: string;
}

/** Where a new run goes on from an old one. */
export interface Rerun {
  from: string;
  current?: boolean;
}

/** Memory and CPU in Kubernetes quantities, kept as they were written; empty means not given. */
export interface Resources {
  memory?: string;
  cpu?: string;
}

/** How often a step that fails is tried, and after which waits. */
export interface Retry {
  attempts?: number;
  wait?: string;
  max_wait?: string;
  on?: Array<string>;
}

/** One revision in a function's history. */
export interface RevisionStatus {
  number: number;
  created_unix_ms: number;
  spec: FunctionSpec;
  role: "candidate" | "kept" | "serving";
}

/** Which revision is to serve again; null for the one that served before, or ends a rollout under way. */
export interface RollbackRequest {
  revision?: number | null;
  canary?: Canary | null;
}

/** A rollout under way. */
export interface RolloutStatus {
  revision: number;
  serving: number;
  state: "building" | "canary" | "failing" | "shifting" | "starting";
  reason?: string;
  fault?: "" | "crashed" | "import_failed" | "killed" | "lost" | "oom" | "pids" | "prepare_failed" | "start_failed" | "stopped" | "stuck" | "timeout" | "too_slow";
  canary?: Canary | null;
  ends_unix_ms?: number;
  sides?: Array<Side>;
}

/** One function's calls that ended within a span of time. */
export interface Rollup {
  function: string;
  namespace: string;
  at_unix_s: number;
  calls: number;
  failed: number;
  cold: number;
  seconds: number;
  run_s: number;
  request_bytes: number;
  response_bytes: number;
  latencies: Array<number>;
}

/** A route; its name and namespace may be left out, since the path says them. */
export interface RouteRequest {
  name?: string;
  namespace?: string;
  host?: string;
  path?: string;
  strip?: boolean;
  methods?: Array<string>;
  targets: Array<Target>;
  auth?: KeyAuth | BasicAuth | JwtAuth | HmacAuth | null;
  cors?: Cors | null;
  rate?: RateLimit | null;
  max_body?: string;
}

/** What somebody wants a route to be. */
export interface RouteSpec {
  name: string;
  namespace?: string;
  host?: string;
  path?: string;
  strip?: boolean;
  methods?: Array<string>;
  targets: Array<Target>;
  auth?: KeyAuth | BasicAuth | JwtAuth | HmacAuth | null;
  cors?: Cors | null;
  rate?: RateLimit | null;
  max_body?: string;
}

/** A route, and what keeps it from working. */
export interface RouteStatus {
  spec: RouteSpec;
  created_unix_ms: number;
  updated_unix_ms: number;
  trouble?: string;
}

/** A rule; its name and namespace may be left out, since the address says them. */
export interface RuleRequest {
  name?: string;
  namespace?: string;
  kind: "budget" | "certificate" | "cold_starts" | "dead_letters" | "disk" | "error_rate" | "latency" | "no_traffic" | "promql" | "queue_depth" | "replicas" | "restarts";
  function?: string;
  threshold?: number | null;
  direction?: "above" | "below" | null;
  resolve?: number | null;
  window?: string;
  quantile?: number;
  expr?: string;
  for?: string;
  keep_firing_for?: string;
  severity?: "critical" | "info" | "warning";
  summary?: string;
  labels?: Record<string, string>;
  receivers?: Array<string>;
  paused?: boolean;
}

/** A rule, and how it does. */
export interface RuleStatus {
  rule: AlertRule;
  created_unix_ms: number;
  updated_unix_ms: number;
  state?: "failing" | "firing" | "inactive" | "paused" | "pending";
  alerts?: number;
  trouble?: string;
  looked_unix_ms?: number;
}

/** A run with all that it did. */
export interface RunReport {
  run: FlowRun;
  steps: Array<StepRecord>;
}

/** A run, without what is in it. */
export interface RunSummary {
  id: string;
  flow: string;
  namespace: string;
  state: "cancelled" | "done" | "failed" | "running";
  started_unix_ms: number;
  finished_unix_ms?: number;
  started_by?: string;
  rerun_of?: string;
  error?: FlowError | null;
}

/** Objects that come into a bucket, change or go; the bucket is listed again and again. */
export interface S3Source {
  kind: "s3";
  secret?: string;
  endpoint: string;
  bucket: string;
  prefix?: string;
  suffix?: string;
  events?: Array<"created" | "removed">;
  region?: string;
  interval?: string;
  start?: "earliest" | "latest";
}

/** What was found at the platform's start, and what was found when it was first started or last accepted. */
export interface Sandbox {
  tier: "A" | "A+" | "B" | "B-" | "C";
  required: "A" | "A+" | "B" | "B-" | "C";
  missing?: Array<string>;
}

/** A query that is kept under a name. */
export interface SavedQuery {
  name: string;
  namespace?: string;
  sql: string;
  note?: string;
  ready_made?: boolean;
  created_unix_ms?: number;
  updated_unix_ms?: number;
}

/** A query that is to be kept under a name. */
export interface SavedQuerySpec {
  sql: string;
  note?: string;
}

/** How many replicas are wanted by hand; null gives the number back to the scaler. */
export interface ScaleRequest {
  replicas: number | null;
}

/** A secret, and who uses it. */
export interface SecretStatus {
  namespace: string;
  name: string;
  version: number;
  created_unix_ms: number;
  updated_unix_ms: number;
  functions?: Array<string>;
}

/** Who was sent a report. */
export interface Sent {
  receivers: Array<string>;
}

/** Work out a value. */
export interface Set {
  do: "set";
  name: string;
  retry?: Retry | null;
  catch?: Catch | null;
  timeout?: string;
  value: string;
}

/** What one revision's calls came to during a canary. */
export interface Side {
  revision: number;
  calls?: number;
  failed?: number;
  p95_s?: number | null;
}

/** A silence: alerts that all its matchers fit are told to nobody while it lasts. */
export interface Silence {
  id: string;
  namespace: string;
  matchers: Array<Matcher>;
  starts_unix_ms: number;
  ends_unix_ms: number;
  comment: string;
  created_by: string;
  created_unix_ms: number;
}

/** A silence that is wanted. */
export interface SilenceRequest {
  matchers: Array<Matcher>;
  comment?: string;
  starts_unix_ms?: number;
  ends_unix_ms?: number;
  duration?: string;
}

/** An incoming webhook of Slack, or of what takes the same. The secret is its URL. */
export interface SlackTarget {
  kind: "slack";
}

/** The code of one revision of a function. */
export interface Source {
  revision: number;
  bundle: string;
  files: Array<SourceFile>;
  cut?: boolean;
}

/** Which files a new bundle has. */
export interface SourceChange {
  base?: string;
  files?: Array<ChangedFile>;
  removed?: Array<string>;
}

/** One file of a bundle. */
export interface SourceFile {
  path: string;
  size_bytes: number;
  text?: string | null;
  executable?: boolean;
}

/** Cut a list into lists of `size`, or a text into those between `by`. */
export interface Split {
  do: "split";
  name: string;
  retry?: Retry | null;
  catch?: Catch | null;
  timeout?: string;
  over: string;
  size?: number;
  by?: string;
}

/** What somebody begins a function with, who writes it in a page. */
export interface Starter {
  name: string;
  description: string;
  needs: string;
  runtime: string;
  dialect: string;
  process: string;
  env: Record<string, string>;
  files: Array<StarterFile>;
}

/** A file that a template begins with. */
export interface StarterFile {
  path: string;
  text: string;
}

/** One bar of a chart. */
export interface Step {
  at_unix_ms: number;
  calls?: number;
  failed?: number;
  p95_s?: number | null;
}

/** What is known of one place in a run. */
export interface StepRecord {
  path: string;
  state: "done" | "failed" | "retrying" | "running" | "stopped" | "waiting";
  attempt: number;
  started_unix_ms: number;
  finished_unix_ms?: number;
  due_unix_ms?: number;
  input?: unknown;
  result?: unknown;
  error?: FlowError | null;
  by?: string;
  comment?: string;
}

/** A function of our own store, as the native API tells it. */
export interface StoreItem {
  name: string;
  title: string;
  description: string;
  aliases: Array<string>;
  image: string;
  stands_for: Array<string>;
  runtime: "exec" | "http" | "image" | "node" | "python" | "static";
  process: string;
  network: "host" | "none" | "proxy";
  needs: string;
  labels: Record<string, string>;
  sample: StoreSample;
  icon: string;
}

/** Something to send to a function to see what it does. */
export interface StoreSample {
  content_type: string;
  body: string;
}

/** What a function did, or several. */
export interface Sums {
  calls?: number;
  failed?: number;
  cold?: number;
  p50_s?: number | null;
  p95_s?: number | null;
  p99_s?: number | null;
  cost?: number;
}

/** A column of a table that may be asked. */
export interface TableColumn {
  name: string;
  type: "integer" | "real" | "text";
  about?: string;
}

/** A table that may be asked. */
export interface TableInfo {
  name: string;
  about: string;
  columns: Array<TableColumn>;
}

/** A function that answers, and its share among those of the route. */
export interface Target {
  function: string;
  weight?: number;
}

/** What became of a test. */
export interface Tested {
  trouble: string;
}

/** One alert. */
export interface TheirAlert {
  status: string;
  labels?: Record<string, string>;
  annotations?: Record<string, string>;
  startsAt?: string | null;
  endsAt?: string | null;
}

/** A message with alerts of one group. */
export interface TheirMessage {
  alerts: Array<TheirAlert>;
  version?: string;
}

/** The token that is wanted; the path says for which namespace. */
export interface TokenRequest {
  role: "admin" | "deploy" | "invoke" | "query" | "view";
  expires?: string;
  note?: string;
}

/** A token as it is shown: all but what lets somebody in. */
export interface TokenStatus {
  id: string;
  namespace: string | null;
  role: "admin" | "deploy" | "invoke" | "query" | "view";
  note?: string;
  created_unix_ms: number;
  expires_unix_ms?: number;
}

/** What became of an event that was given by hand. */
export interface Tried {
  delivered: boolean;
}

/** A trigger; its name and namespace may be left out, since the path says them. */
export interface TriggerRequest {
  name?: string;
  namespace?: string;
  function?: string;
  flow?: string;
  source: CronSource | WebhookSource | EventSource | FunctionSource | NatsSource | KafkaSource | MqttSource | AmqpSource | RedisSource | PostgresqlSource | S3Source | FilesSource;
  filter?: string;
  paused?: boolean;
  bound?: boolean;
}

/** What somebody wants a trigger to be. */
export interface TriggerSpec {
  name: string;
  namespace?: string;
  function?: string;
  flow?: string;
  source: CronSource | WebhookSource | EventSource | FunctionSource | NatsSource | KafkaSource | MqttSource | AmqpSource | RedisSource | PostgresqlSource | S3Source | FilesSource;
  filter?: string;
  paused?: boolean;
  bound?: boolean;
}

/** How a trigger does; the counts are since the control plane began. */
export interface TriggerStanding {
  state?: "connecting" | "failing" | "paused" | "running" | "waiting";
  trouble?: string;
  delivered?: number;
  filtered?: number;
  failed?: number;
  missed?: number;
  last_unix_ms?: number;
}

/** A trigger, and how it does. */
export interface TriggerStatus {
  spec: TriggerSpec;
  created_unix_ms: number;
  updated_unix_ms: number;
  standing?: TriggerStanding;
}

/** Wait for an event that somebody sends to the run; what came with it is the result. */
export interface Wait {
  do: "wait";
  name: string;
  retry?: Retry | null;
  catch?: Catch | null;
  timeout?: string;
  event: string;
}

/** Requests that somebody signs, at `/hooks/NAMESPACE/TRIGGER`; the secret holds one key a line. */
export interface WebhookSource {
  kind: "webhook";
  secret?: string;
  scheme?: "github" | "plain" | "slack" | "standard-webhooks" | "stripe";
  header?: string;
  window?: string;
  max_body?: string;
}

/** JSON posted to a URL, signed as Standard Webhooks has it if there is a secret, which is the key. */
export interface WebhookTarget {
  kind: "webhook";
  url: string;
}

/** How a namespace is removed. */
export interface NamespacesRemovalQuery {
  force?: boolean;
}

/** How a secret is removed. */
export interface SecretsRemovalQuery {
  force?: boolean;
}

/** What a namespace uses now, in the units of its quota. */
export interface NamespaceUsage {
  functions?: number;
  replicas?: number;
  memory_bytes?: number;
  cpu_millicores?: number;
}

/** A namespace at one moment. */
export interface UsageUsage {
  at_s: number;
  bounds_s: Array<number>;
  functions: Array<FunctionUsage>;
}

export const FUNCTION_DEFAULTS = {
  namespace: "openfaas-fn",
  lang: "python",
  runtime: "python",
  dialect: "auto",
  handler: "handler",
  concurrency: "auto",
  network: "proxy",
  allow: ["public"],
} as const;
