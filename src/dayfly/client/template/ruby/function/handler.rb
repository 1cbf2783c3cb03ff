# A function: `run` is called for each request.
#
# `body` is read like a file; `headers` is the request as Rack describes it: "REQUEST_METHOD", "PATH_INFO",
# "QUERY_STRING", "HTTP_X_CALL_ID" … What is returned is the answer: its body, headers and status; the last two may be
# left out. What is printed goes to the log: `dayfly logs`.
class Handler
  # Greet whoever the request names.
  def run(body, headers)
    name = body.read.strip
    "Hello, #{name.empty? ? "stranger" : name}!\n"
  end
end
