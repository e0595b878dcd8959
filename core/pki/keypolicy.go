package pki

import (
	"crypto"
	"crypto/rsa"
	"math/big"
	"sync"
)

// fermatRounds is how far close primes are searched, as Boulder does; keys made
// by a sound generator are out of reach by hundreds of orders of magnitude.
const fermatRounds = 110

// checkKey applies the key policy: RSA 2048–4096 bits with e = 65537 and no known
// weakness, or P-256 (domain rule: reject ROCA, Fermat-close, small factors).
func checkKey(pub crypto.PublicKey) error {
	if _, err := algorithmOf(pub); err != nil {
		return err
	}
	k, isRSA := pub.(*rsa.PublicKey)
	if !isRSA {
		return nil // crypto/x509 has already refused points off the curve
	}
	return checkRSA(k)
}

func checkRSA(k *rsa.PublicKey) error {
	if bits := k.N.BitLen(); bits < 2048 || bits > 4096 || bits%8 != 0 {
		return &Error{Code: CodeKeySize, Detail: "RSA modulus must have 2048 to 4096 bits, a multiple of 8"}
	}
	if k.E != 65537 {
		return &Error{Code: CodeKeyExponent, Detail: "RSA public exponent must be 65537"}
	}
	if new(big.Int).GCD(nil, nil, k.N, smallPrimeProduct()).Cmp(big.NewInt(1)) != 0 {
		return &Error{Code: CodeKeyFactor, Detail: "RSA modulus is divisible by a small prime"}
	}
	if hasROCAFingerprint(k.N) {
		return &Error{Code: CodeKeyROCA, Detail: "RSA key bears the ROCA fingerprint (CVE-2017-15361)"}
	}
	if hasClosePrimes(k.N) {
		return &Error{Code: CodeKeyClose, Detail: "RSA primes are too close to each other (Fermat factorisation)"}
	}
	return nil
}

// smallPrimeProduct is the product of all primes below 752 (SP 800-89 §5.3.3).
var smallPrimeProduct = sync.OnceValue(func() *big.Int {
	product := big.NewInt(1)
	for n := int64(2); n < 752; n++ {
		if p := big.NewInt(n); p.ProbablyPrime(0) {
			product.Mul(product, p)
		}
	}
	return product
})

// rocaPrimes are the moduli that tell Infineon's key generator (Nemec et al.,
// "The Return of Coppersmith's Attack", CCS 2017): there N is a power of 65537.
var rocaPrimes = []int64{11, 13, 17, 19, 37, 53, 61, 71, 73, 79, 97, 103, 107, 109, 127, 151, 157}

// rocaResidues holds, per prime, the residues reachable as powers of 65537.
var rocaResidues = sync.OnceValue(func() []map[int64]bool {
	sets := make([]map[int64]bool, len(rocaPrimes))
	for i, p := range rocaPrimes {
		sets[i] = map[int64]bool{}
		for x := int64(1); !sets[i][x]; x = x * (65537 % p) % p {
			sets[i][x] = true
		}
	}
	return sets
})

func hasROCAFingerprint(n *big.Int) bool {
	var rest big.Int
	for i, p := range rocaPrimes {
		if !rocaResidues()[i][rest.Mod(n, big.NewInt(p)).Int64()] {
			return false
		}
	}
	return true
}

// hasClosePrimes looks for a with a² − n a perfect square, from ⌈√n⌉ upwards.
func hasClosePrimes(n *big.Int) bool {
	a := new(big.Int).Sqrt(n)
	if new(big.Int).Mul(a, a).Cmp(n) < 0 {
		a.Add(a, big.NewInt(1))
	}
	var b2, b, square big.Int
	for range fermatRounds {
		b2.Mul(a, a)
		b2.Sub(&b2, n)
		b.Sqrt(&b2)
		if square.Mul(&b, &b).Cmp(&b2) == 0 {
			return true
		}
		a.Add(a, big.NewInt(1))
	}
	return false
}
