require "greeting" # a gem in vendor/bundle

class Handler
  def run(body, headers)
    first, rest = body.read.split("\n", 2)
    command, argument = first.split
    case command
    when "echo" then rest
    when "tell" then headers.values_at("REQUEST_METHOD", "PATH_INFO", "QUERY_STRING", "HTTP_X_MARK").join(" ")
    when "answer" then ["short and stout", { "X-Mark": "seen" }, 418]
    when "raise" then raise "told on purpose"
    when "log"
      puts "to stdout: #{rest}"
      warn "to stderr: #{rest}"
    when "vendored" then GREETING
    when "env" then ENV.fetch(argument, "")
    when "sleep"
      sleep(argument.to_f)
      "awake"
    end
  end
end
