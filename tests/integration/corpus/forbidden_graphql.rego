# expect: error forbidden
package sbomgate.corpus

a := graphql.is_valid("{a}", "type Query { a: Int }")
