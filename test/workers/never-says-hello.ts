// Starts and says nothing, for ever.
setInterval(() => {}, 1000)
