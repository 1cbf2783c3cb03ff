'use strict'

module.exports = (event, context, callback) => {
  context.status(202).headers({ 'X-Path': event.path })
  callback(undefined, 'got ' + event.body)
}
