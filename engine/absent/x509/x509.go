// Package x509 stands in for crypto/x509.
package x509

import (
	"net/url"
	"time"

	"sbomgate/engine/absent"
)

type (
	CertPool           struct{}
	CertificateRequest struct{}
	ExtKeyUsage        int

	Certificate struct {
		URIs      []*url.URL
		PublicKey any
	}

	VerifyOptions struct {
		DNSName                   string
		Intermediates, Roots      *CertPool
		CurrentTime               time.Time
		KeyUsages                 []ExtKeyUsage
		MaxConstraintComparisions int
	}
)

const (
	ExtKeyUsageAny ExtKeyUsage = iota
	ExtKeyUsageServerAuth
	ExtKeyUsageClientAuth
	ExtKeyUsageCodeSigning
	ExtKeyUsageEmailProtection
	ExtKeyUsageIPSECEndSystem
	ExtKeyUsageIPSECTunnel
	ExtKeyUsageIPSECUser
	ExtKeyUsageTimeStamping
	ExtKeyUsageOCSPSigning
	ExtKeyUsageMicrosoftServerGatedCrypto
	ExtKeyUsageNetscapeServerGatedCrypto
	ExtKeyUsageMicrosoftCommercialCodeSigning
	ExtKeyUsageMicrosoftKernelCodeSigning
)

func NewCertPool() *CertPool { return nil }

func (*CertPool) AddCert(*Certificate) {}

func (*CertPool) AppendCertsFromPEM([]byte) bool { return false }

func (*Certificate) Verify(VerifyOptions) ([][]*Certificate, error) { return nil, absent.Err }

func ParseCertificate([]byte) (*Certificate, error) { return nil, absent.Err }

func ParseCertificates([]byte) ([]*Certificate, error) { return nil, absent.Err }

func ParseCertificateRequest([]byte) (*CertificateRequest, error) { return nil, absent.Err }

func ParsePKIXPublicKey([]byte) (any, error) { return nil, absent.Err }

func ParsePKCS1PrivateKey([]byte) (any, error) { return nil, absent.Err }

func ParsePKCS8PrivateKey([]byte) (any, error) { return nil, absent.Err }

func ParseECPrivateKey([]byte) (any, error) { return nil, absent.Err }
