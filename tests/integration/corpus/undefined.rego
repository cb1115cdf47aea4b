# expect: error undefined
package elsewhere

allow := true
