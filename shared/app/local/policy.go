package local

import (
	"sluice/shared/catalog"
	"sluice/shared/config"
	"sluice/shared/delivery"
	"sluice/shared/upload"
)

// deliveryPolicy is what the settings say of deliveries.
func (a *App) deliveryPolicy(c config.Config) delivery.Policy {
	return delivery.Policy{
		Mode: catalog.Delivery(c.Delivery), Above: c.RedirectAbove, ByRequest: c.DeliveryChoice, Public: a.public,
	}
}

// uploadPolicy is what the settings say of uploads.
func (a *App) uploadPolicy(c config.Config) upload.Policy {
	direct := c.UploadParts == "store" || c.UploadParts == "auto" && a.public
	return upload.Policy{Direct: direct, Claim: c.UploadDigest == "claim"}
}
