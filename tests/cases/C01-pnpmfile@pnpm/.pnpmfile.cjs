module.exports = {hooks: {}}
