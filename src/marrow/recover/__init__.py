"""From a picture of a person to a body: crops, and networks that read parameters off them."""
