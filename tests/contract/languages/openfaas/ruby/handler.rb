class Handler
  def run(req)
    return "got " + req
  end
end
