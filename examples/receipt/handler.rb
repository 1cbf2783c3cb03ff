# A page for a person: JSON in, HTML out, by a template beside the handler.
#
#     curl -d '{"customer": "Ada", "items": [{"name": "Tea", "count": 2, "price": 3.5}]}' $URL/function/receipt

require "erb"
require "json"

class Handler
  PAGE = ERB.new(File.read(File.join(__dir__, "receipt.html.erb")), trim_mode: "-")
  HTML = { "content-type" => "text/html; charset=utf-8" }.freeze

  def run(body, _headers)
    order = JSON.parse(body.read.force_encoding("UTF-8"))
    customer, items = order.fetch("customer"), order.fetch("items")
    total = items.sum { |item| item.fetch("count") * item.fetch("price") }
    [PAGE.result_with_hash(customer:, items:, total:, h: ERB::Util.method(:html_escape)), HTML]
  rescue JSON::ParserError, KeyError, TypeError, NoMethodError => error
    ["This is no order: #{error.message}\n", {}, 400]
  end
end
