# As much of HTTP/1.1 as the platform speaks to a function: requests whole, answers whole, connections kept.

require "json"
require "stringio"

module Http
  class Malformed < StandardError; end

  MAX_LINE_BYTES = 1 << 20
  OURS = %w[content-length transfer-encoding connection keep-alive].freeze
  NAME = /\A[!#$%&'*+\-.^_`|~0-9A-Za-z]+\z/
  REASONS = {
    200 => "OK", 201 => "Created", 202 => "Accepted", 204 => "No Content", 301 => "Moved Permanently",
    302 => "Found", 303 => "See Other", 304 => "Not Modified", 400 => "Bad Request", 401 => "Unauthorized",
    403 => "Forbidden", 404 => "Not Found", 405 => "Method Not Allowed", 409 => "Conflict",
    413 => "Content Too Large", 422 => "Unprocessable Content", 429 => "Too Many Requests",
    500 => "Internal Server Error", 503 => "Service Unavailable"
  }.freeze

  # An answer that can be sent: its status, headers by name and body.
  Answer = Struct.new(:status, :headers, :body) do
    def to_bytes(head_only:, keep:)
      lines = ["HTTP/1.1 #{status} #{REASONS.fetch(status, "Unknown")}"]
      headers.each { |name, value| lines << "#{name}: #{value}" unless OURS.include?(name.downcase) }
      lines << "connection: close" unless keep
      bodiless = [204, 304].include?(status)
      lines << "content-length: #{body.bytesize}" unless bodiless
      head = (lines.join("\r\n") << "\r\n\r\n").b
      bodiless || head_only ? head : head << body.b
    end
  end

  module_function

  # The next request, as Rack describes one; nil when the connection was closed between two.
  def read(socket)
    first = socket.gets("\n", MAX_LINE_BYTES) or return nil
    method, target = first.split(" ")
    raise Malformed, first.inspect if target.nil?

    headers = header_lines(socket)
    socket.write("HTTP/1.1 100 Continue\r\n\r\n") if headers["expect"]&.casecmp?("100-continue")
    environment(method, target, headers, body(socket, headers))
  end

  # What the function returned as an answer. Raises ArgumentError for what cannot be sent.
  def answer(returned, default_status)
    body, headers, status = returned
    status = Integer(status || default_status)
    raise ArgumentError, "a status of #{status} cannot be sent" unless (200..599).cover?(status)

    kind, bytes = content(body)
    given = (headers || {}).to_h { |name, value| [checked(name), value.to_s] }
    given.each { |name, value| raise ArgumentError, "the header #{name} holds a line break" if value =~ /[\r\n\0]/n }
    given["content-type"] = kind if kind && given.none? { |name, _| name.casecmp?("content-type") }
    Answer.new(status, given, bytes)
  end

  # The answer to a call that failed, as every language of the platform tells it (RFC 9457).
  def problem(error, call_id)
    told = {
      type: "urn:dayfly:problem:function_failed", title: "Internal Server Error", status: 500,
      detail: "the function raised #{error.class}; its log has the traceback",
      code: "function_failed", call_id: call_id.to_s
    }
    Answer.new(500, { "content-type" => "application/problem+json" }, JSON.generate(told))
  end

  def header_lines(socket)
    found = {}
    while (line = socket.gets("\n", MAX_LINE_BYTES)&.chomp) && !line.empty?
      name, value = line.split(":", 2)
      raise Malformed, line.inspect if value.nil?

      found[name.downcase] = found.key?(name.downcase) ? "#{found[name.downcase]}, #{value.strip}" : value.strip
    end
    found
  end

  def body(socket, headers)
    return socket.read(Integer(headers.fetch("content-length", "0"), 10)) unless headers["transfer-encoding"]

    body = "".b
    while (size = Integer(socket.gets("\n", MAX_LINE_BYTES).split(";").first.strip, 16)).positive?
      body << socket.read(size)
      socket.gets("\n", MAX_LINE_BYTES)
    end
    header_lines(socket) # trailers
    body
  end

  def environment(method, target, headers, body)
    path, query = target.split("?", 2)
    found = {
      "REQUEST_METHOD" => method, "SCRIPT_NAME" => "", "PATH_INFO" => path, "QUERY_STRING" => query.to_s,
      "SERVER_NAME" => headers.fetch("host", ""), "SERVER_PORT" => ENV["PORT"], "SERVER_PROTOCOL" => "HTTP/1.1",
      "rack.url_scheme" => "http", "rack.input" => StringIO.new(body), "rack.errors" => $stderr
    }
    headers.each do |name, value|
      next if name.include?("_") # it would pass for the header with a dash

      key = name.upcase.tr("-", "_")
      found[%w[CONTENT_TYPE CONTENT_LENGTH].include?(key) ? key : "HTTP_#{key}"] = value
    end
    found
  end

  def content(body)
    case body
    when nil then [nil, ""]
    when String then [body.encoding == Encoding::BINARY ? "application/octet-stream" : "text/plain; charset=utf-8", body]
    when Hash then ["application/json", JSON.generate(body)]
    else [nil, body.to_enum(:each).map(&:to_s).join]
    end
  end

  def checked(name)
    raise ArgumentError, "#{name.inspect} is not the name of a header" unless NAME.match?(name.to_s)

    name.to_s
  end
end
