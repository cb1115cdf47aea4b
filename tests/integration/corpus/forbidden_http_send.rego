# expect: error forbidden
package sbomgate.corpus

a := http.send({"method": "get", "url": "http://localhost"})
