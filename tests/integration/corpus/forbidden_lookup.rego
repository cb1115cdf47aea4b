# expect: error forbidden
package sbomgate.corpus

a := net.lookup_ip_addr("localhost")
