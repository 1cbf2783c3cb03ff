'use strict'

module.exports = async (event, context) => {
  return context.status(202).headers({ 'X-Path': event.path }).succeed('got ' + event.body)
}
