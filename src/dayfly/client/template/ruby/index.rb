# The program around a function: it serves HTTP on $PORT and passes each request to Handler#run.
#
# A connection has a thread. Who asks is the platform alone, which has judged every request before.

require "socket"
require_relative "http"

$stdout.sync = true
$stderr.sync = true
Thread.report_on_exception = false

# Gems that `bundle install --path vendor/bundle` put beside the handler.
vendored = Dir[File.join(__dir__, "function/vendor/bundle/ruby/*")]
Gem.use_paths(Gem.dir, [*vendored, *Gem.path]) unless vendored.empty?

require_relative "function/handler"

# Connections served at once; a replica may have 512 threads and processes.
PLACES = SizedQueue.new(256)

def call(request)
  default = request["REQUEST_METHOD"] == "OPTIONS" ? 204 : 200
  handler = Handler.new
  # OpenFaaS's first template for Ruby hands over the body alone.
  alone = handler.method(:run).arity == 1
  Http.answer(alone ? handler.run(request["rack.input"].read) : handler.run(request["rack.input"], request), default)
rescue Exception => error # a fault of the function costs this one call, whatever kind it is
  call_id = request["HTTP_X_CALL_ID"]
  warn "#{error.full_message(highlight: false)} (call #{call_id})"
  Http.problem(error, call_id)
end

def serve(connection)
  connection.setsockopt(Socket::IPPROTO_TCP, Socket::TCP_NODELAY, 1)
  while (request = Http.read(connection))
    keep = !request["HTTP_CONNECTION"]&.casecmp?("close")
    connection.write(call(request).to_bytes(head_only: request["REQUEST_METHOD"] == "HEAD", keep: keep))
    break unless keep
  end
rescue SystemCallError, IOError, Http::Malformed
  nil # whoever asked is gone
ensure
  connection.close
  PLACES.pop
end

server = TCPServer.new("127.0.0.1", Integer(ENV.fetch("PORT")))
loop do
  PLACES.push(true)
  Thread.new(server.accept) { |connection| serve(connection) }
end
