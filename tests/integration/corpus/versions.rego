# expect: {"order":[-1,-1,0],"valid":[true,false]}
package sbomgate.corpus

order := [
	semver.compare("1.0.0-alpha.2", "1.0.0-alpha.10"),
	semver.compare("9.0.0", "10.0.0"),
	semver.compare("1.0.0+b1", "1.0.0+b2"),
]

valid := [semver.is_valid("1.2.3"), semver.is_valid("1.2")]
