"""In which order items come: samplers, and the order found again from any batch on."""
