Gem::Specification.new do |spec|
  spec.name = "greeting"
  spec.version = "1.0.0"
  spec.summary = "A gem beside a handler"
  spec.authors = ["nobody"]
  spec.files = ["lib/greeting.rb"]
  spec.require_paths = ["lib"]
end
