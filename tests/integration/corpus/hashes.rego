# expect: {"equal":true,"hashes":["66ddcd97cfdeabb2f6fb8a999b4bc76f","86f7e437faa5a7fce15d1ddcb9eaeaea377667b8","e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"],"keyed":["ddcf3d210049e7135f61affae73731cd","40e7d441cadb17b07f050341aa23a6820ed81c8b","78da91511e675587f5b9df78bedebaf5560da2abb88162ee875dcdf744951d9e","82e0c15e0d62ab17984bea225bf7d28ad54f343dd6520c283c3a2cd43852a2f79c349cc9b7583317399ee38d722489b45a942667e55bc38c42a5bb203c0900c7"],"token":[{"alg":"none"},{"a":1},""]}
package sbomgate.corpus

hashes := [crypto.md5("é"), crypto.sha1("a"), crypto.sha256("")]

keyed := [crypto.hmac.md5("a", "k"), crypto.hmac.sha1("a", "k"), crypto.hmac.sha256("a", "k"), crypto.hmac.sha512("a", "k")]

equal := crypto.hmac.equal("a", "a")

token := io.jwt.decode("eyJhbGciOiJub25lIn0.eyJhIjoxLjB9.")
