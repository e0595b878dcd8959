package platform

import (
	"bytes"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"

	"github.com/google/uuid"

	"certsaas/config"
	"certsaas/core/clock"
	"certsaas/core/payment"
	"certsaas/core/payment/alipay"
	"certsaas/core/payment/wechat"
	"certsaas/core/tenant"
)

// everyTenant is the merchant of tenants that have none of their own.
const everyTenant = "*"

// merchantGateways opens the gateways of the configured merchants; nil when there is none.
func merchantGateways(c config.Config, clk clock.Clock) (payment.Gateways, error) {
	if len(c.Merchants) == 0 {
		return nil, nil
	}
	type key struct {
		tenant  uuid.UUID // Nil: every tenant
		channel string
	}
	found := map[key]payment.Gateway{}
	for slug, m := range c.Merchants {
		id := uuid.Nil
		if slug != everyTenant {
			id = tenant.IDOf(slug)
		}
		if m.Alipay.AppID != "" {
			g, err := openAlipay(m.Alipay, clk)
			if err != nil {
				return nil, fmt.Errorf("platform: merchant %s: alipay: %w", slug, err)
			}
			found[key{id, payment.Alipay}] = g
		}
		if m.WeChat.MchID != "" {
			g, err := openWeChat(m.WeChat, clk)
			if err != nil {
				return nil, fmt.Errorf("platform: merchant %s: wechat: %w", slug, err)
			}
			found[key{id, payment.WeChat}] = g
		}
	}
	return payment.GatewaysFunc(func(id uuid.UUID, channel string) (payment.Gateway, bool) {
		if g, ok := found[key{id, channel}]; ok {
			return g, true
		}
		g, ok := found[key{uuid.Nil, channel}]
		return g, ok
	}), nil
}

func openAlipay(c config.Alipay, clk clock.Clock) (payment.Gateway, error) {
	private, err := privateKey(c.KeyFile)
	if err != nil {
		return nil, err
	}
	public, err := publicKey(c.AlipayKey)
	if err != nil {
		return nil, err
	}
	url := c.Gateway
	if url == "" {
		url = "https://openapi.alipay.com/gateway.do"
	}
	return alipay.New(alipay.Config{GatewayURL: url, AppID: c.AppID, SellerID: c.SellerID, PrivateKey: private, AlipayKey: public, Clock: clk})
}

func openWeChat(c config.WeChat, clk clock.Clock) (payment.Gateway, error) {
	private, err := privateKey(c.KeyFile)
	if err != nil {
		return nil, err
	}
	secret, err := os.ReadFile(c.APIv3File)
	if err != nil {
		return nil, err
	}
	keys := map[string]*rsa.PublicKey{}
	for serial, file := range c.Keys {
		if keys[serial], err = publicKey(file); err != nil {
			return nil, err
		}
	}
	url := c.BaseURL
	if url == "" {
		url = "https://api.mch.weixin.qq.com"
	}
	return wechat.New(wechat.Config{BaseURL: url, AppID: c.AppID, MchID: c.MchID, SerialNo: c.SerialNo, PrivateKey: private,
		APIv3Key: bytes.TrimSpace(secret), Keys: keys, Clock: clk})
}

// privateKey reads an RSA key in PEM, PKCS #8 or PKCS #1.
func privateKey(file string) (*rsa.PrivateKey, error) {
	block, err := readPEM(file)
	if err != nil {
		return nil, err
	}
	if key, err := x509.ParsePKCS1PrivateKey(block.Bytes); err == nil {
		return key, nil
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	private, ok := key.(*rsa.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("%s holds no RSA key", file)
	}
	return private, nil
}

// publicKey reads an RSA public key, or the one of a certificate, in PEM.
func publicKey(file string) (*rsa.PublicKey, error) {
	block, err := readPEM(file)
	if err != nil {
		return nil, err
	}
	var key any
	if cert, certErr := x509.ParseCertificate(block.Bytes); certErr == nil {
		key = cert.PublicKey
	} else if key, err = x509.ParsePKIXPublicKey(block.Bytes); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	public, ok := key.(*rsa.PublicKey)
	if !ok {
		return nil, fmt.Errorf("%s holds no RSA key", file)
	}
	return public, nil
}

func readPEM(file string) (*pem.Block, error) {
	raw, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(raw)
	if block == nil {
		return nil, fmt.Errorf("%s is not PEM", file)
	}
	return block, nil
}
