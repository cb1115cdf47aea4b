// Package mail stands in for net/mail.
package mail

import "sbomgate/engine/absent"

type Address struct{}

func ParseAddress(string) (*Address, error) { return nil, absent.Err }
