package lab

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"time"
)

// certs holds the lab's certificates: what a good server shows, and what a bad
// one does.
type certs struct {
	rootPEM                                         []byte
	good, selfSigned, untrusted, expired, otherHost tls.Certificate
}

// newCerts makes an authority and its certificates. They are valid around now,
// with a day on either side for clocks that tests move.
func newCerts(now time.Time) (*certs, error) {
	c := new(certs)
	from, to := now.Add(-24*time.Hour), now.Add(30*24*time.Hour)
	root, err := newAuthority("gpx lab root", from, to)
	if err != nil {
		return nil, err
	}
	stranger, err := newAuthority("intercepting proxy root", from, to)
	if err != nil {
		return nil, err
	}
	c.rootPEM = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: root.cert.Raw})

	here := []string{"127.0.0.1", "::1", "localhost", "lab.example.com", "*.lab.example.com", "*.example.com"}
	for _, leaf := range []struct {
		to        *tls.Certificate
		by        *authority
		hosts     []string
		from, to2 time.Time
	}{
		{&c.good, root, here, from, to},
		{&c.selfSigned, nil, here, from, to},
		{&c.untrusted, stranger, here, from, to},
		{&c.expired, root, here, now.Add(-48 * time.Hour), now.Add(-36 * time.Hour)},
		{&c.otherHost, root, []string{"other.example.com"}, from, to},
	} {
		if *leaf.to, err = newLeaf(leaf.by, leaf.hosts, leaf.from, leaf.to2); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// config returns how a server in a mode speaks TLS.
func (c *certs) config(m Mode) *tls.Config {
	conf := &tls.Config{NextProtos: []string{"http/1.1"}}
	cert := c.good
	switch m {
	case ModeTLSSelfSigned:
		cert = c.selfSigned
	case ModeTLSUntrusted:
		cert = c.untrusted
	case ModeTLSExpired:
		cert = c.expired
	case ModeTLSWrongHost:
		cert = c.otherHost
	case ModeTLSOld:
		conf.MinVersion, conf.MaxVersion = tls.VersionTLS10, tls.VersionTLS11
	}
	conf.Certificates = []tls.Certificate{cert}
	return conf
}

type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(name string, from, to time.Time) (*authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name},
		NotBefore: from.Add(-30 * 24 * time.Hour), NotAfter: to,
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	cert, err := x509.ParseCertificate(der)
	return &authority{cert, key}, err
}

// newLeaf makes a server certificate, signed by an authority or (nil) by itself.
func newLeaf(by *authority, hosts []string, from, to time.Time) (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: hosts[0]},
		NotBefore: from, NotAfter: to,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	for _, h := range hosts {
		if ip := net.ParseIP(h); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, h)
		}
	}
	parent, signKey := template, key
	if by != nil {
		parent, signKey = by.cert, by.key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signKey)
	if err != nil {
		return tls.Certificate{}, err
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, nil
}
