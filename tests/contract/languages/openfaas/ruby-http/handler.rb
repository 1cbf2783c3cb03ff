class Handler
  def run(body, headers)
    response_headers = {"X-Path": headers["PATH_INFO"]}
    return "got " + body.read, response_headers, 202
  end
end
