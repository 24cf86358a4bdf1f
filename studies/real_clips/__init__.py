"""From fifteen real videos to a pipeline that has memorised them."""
