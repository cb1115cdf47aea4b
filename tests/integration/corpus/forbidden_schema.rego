# expect: error forbidden
package sbomgate.corpus

a := json.match_schema({}, {"$ref": "http://localhost/"})
