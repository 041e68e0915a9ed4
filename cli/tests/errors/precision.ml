precision f16
