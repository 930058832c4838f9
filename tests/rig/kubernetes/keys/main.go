// Command keys makes the certificates and keys of the rig: one authority, one server certificate for everything on
// loopback, one client certificate for the aggregator, and the key pair that signs service account tokens.
package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"log"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

const validity = 365 * 24 * time.Hour

func main() {
	if len(os.Args) != 2 {
		log.Fatal("usage: keys FOLDER")
	}
	folder := os.Args[1]
	if err := os.MkdirAll(folder, 0o700); err != nil {
		log.Fatal(err)
	}
	authority, authorityKey := certificate(folder, "ca", nil, nil, &x509.Certificate{
		Subject:               pkix.Name{CommonName: "fedscaler-rig"},
		IsCA:                  true,
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	})
	certificate(folder, "server", authority, authorityKey, &x509.Certificate{
		Subject:     pkix.Name{CommonName: "fedscaler-rig-server"},
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		// The aggregator asks for the name of the Service, whatever that points to.
		DNSNames: []string{
			"localhost", "kubernetes", "kubernetes.default.svc",
			"karmada-aggregated-apiserver.karmada-system.svc", "metrics-server.kube-system.svc",
		},
	})
	certificate(folder, "front-proxy", authority, authorityKey, &x509.Certificate{
		Subject:     pkix.Name{CommonName: "front-proxy-client"},
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	})
	serviceAccounts(folder)
}

func certificate(folder, name string, parent *x509.Certificate, parentKey *ecdsa.PrivateKey, template *x509.Certificate) (*x509.Certificate, *ecdsa.PrivateKey) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(err)
	template.SerialNumber, err = rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	check(err)
	template.NotBefore = time.Now().Add(-time.Hour)
	template.NotAfter = time.Now().Add(validity)
	if parent == nil {
		parent, parentKey = template, key
	}
	signed, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, parentKey)
	check(err)
	made, err := x509.ParseCertificate(signed)
	check(err)
	private, err := x509.MarshalECPrivateKey(key)
	check(err)
	write(folder, name+".crt", "CERTIFICATE", signed)
	write(folder, name+".key", "EC PRIVATE KEY", private)
	return made, key
}

func serviceAccounts(folder string) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	check(err)
	public, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	check(err)
	write(folder, "service-accounts.key", "RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(key))
	write(folder, "service-accounts.pub", "PUBLIC KEY", public)
}

func write(folder, name, kind string, bytes []byte) {
	block := pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: bytes})
	check(os.WriteFile(filepath.Join(folder, name), block, 0o600))
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
