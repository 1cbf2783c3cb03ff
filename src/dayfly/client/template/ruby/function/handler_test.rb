# Run with `ruby handler_test.rb`, in this folder.

require "stringio"
require_relative "handler"

{ "Dayfly\n" => "Hello, Dayfly!\n", "" => "Hello, stranger!\n" }.each do |body, expected|
  answer = Handler.new.run(StringIO.new(body), {})
  abort "#{body.inspect} was answered with #{answer.inspect}" unless answer == expected
end
puts "passed"
