"""Make credit card data that looks like the UCI data set "Default of Credit Card Clients".

    python make_data.py --rows 6000 --seed 0 --output data/credit_defaults_sample.csv

Every row is simulated, and no customer in it exists; only the parameters below (rounded shares and quantiles) were
measured on the real data. The same number of rows and seed give the same bytes everywhere: random numbers come from
NumPy's `RandomState`, whose stream never changes, and only whole numbers are written.

Each column starts as standard normal random numbers, called a latent. Latents are correlated with each other and from
month to month. Then thresholds turn a latent into categories, and quantiles turn it into amounts.
"""

from __future__ import annotations

import argparse
import math
from itertools import accumulate
from pathlib import Path
from statistics import NormalDist
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    Column = NDArray[Any]
    Data = dict[str, Column]
    Choices = Mapping[int, float | Column]

LABEL = "default payment next month"
DEFAULTS = 0.2212
"""The share of customers who default."""

# The shares of categories, in percent.
SEX = {1: 39.6, 2: 60.4}
MARRIAGE = {0: 0.18, 1: 45.53, 2: 53.21, 3: 1.08}
EDUCATION = {0: 0.05, 4: 0.41, 5: 0.93, 6: 0.17, 1: 35.28, 2: 46.77, 3: 16.39}  # from high limits to low ones

# The payment status of each month, newest month first: -2 no credit used, -1 paid in full, 0 paid in part, 1 and more:
# the number of months that the payment is late.
STATUS = {
    "PAY_0": {-2: 9.2, -1: 18.95, 0: 49.12, 1: 12.29, 2: 8.89, 3: 1.07, 4: 0.25, 5: 0.09, 6: 0.04, 7: 0.03, 8: 0.07},
    "PAY_2": {-2: 12.61, -1: 20.17, 0: 52.43, 1: 0.09, 2: 13.09, 3: 1.09, 4: 0.33, 5: 0.08, 6: 0.04, 7: 0.17},
    "PAY_3": {-2: 13.62, -1: 19.79, 0: 52.55, 1: 0.01, 2: 12.73, 3: 0.8, 4: 0.25, 5: 0.07, 6: 0.08, 7: 0.1},
    "PAY_4": {-2: 14.49, -1: 18.96, 0: 54.85, 1: 0.01, 2: 10.53, 3: 0.6, 4: 0.23, 5: 0.12, 7: 0.21},
    "PAY_5": {-2: 15.15, -1: 18.46, 0: 56.49, 2: 8.75, 3: 0.59, 4: 0.28, 5: 0.06, 7: 0.22},
    "PAY_6": {-2: 16.32, -1: 19.13, 0: 54.29, 2: 9.22, 3: 0.61, 4: 0.16, 5: 0.04, 6: 0.06, 7: 0.17},
}

# Quantiles, at these probabilities.
PROBABILITIES = (0.001, 0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.999)
AGE = (21, 22, 23, 25, 28, 34, 41, 49, 53, 60, 69)
LIMIT = (10e3, 10e3, 20e3, 30e3, 52e3, 140e3, 240e3, 360e3, 430e3, 500e3, 700e3)

# Quantiles of the bill as a share of the limit, and of the payment as a share of the bill of the month before, by
# payment status (1 stands for all late payments).
BILL = {
    -2: (-0.05, -0.02, 0, 0, 0, 0.001, 0.012, 0.05, 0.11, 0.6, 1),
    -1: (-0.01, 0, 0, 0.001, 0.004, 0.014, 0.048, 0.16, 0.37, 0.95, 1.1),
    0: (0, 0.01, 0.05, 0.1, 0.28, 0.63, 0.92, 0.99, 1.02, 1.3, 1.6),
    1: (-0.01, 0, 0.01, 0.05, 0.3, 0.7, 0.94, 1.01, 1.05, 1.3, 1.6),
}
PAYMENT = {
    -2: (0, 0, 0.5, 1, 1, 1, 1.005, 1.015, 1.1, 2, 4),
    -1: (0, 0, 0, 0.05, 1, 1, 1, 1.007, 1.06, 2, 4),
    0: (0, 0, 0.03, 0.035, 0.04, 0.052, 0.1, 0.3, 0.67, 1.2, 2),
    1: (0, 0, 0, 0, 0, 0.042, 0.085, 0.25, 0.9, 1.1, 2),
}
SEASON = (1, 0.98, 0.95, 0.86, 0.77, 0.73)
"""The level of bills in each month, as shares of the newest month's level."""

RISK = {-2: 0.1, -1: 0.2, 0: 0, 1: 0.6, 2: 1.4}
"""The risk of a default that each status of the newest month adds, in standard deviations of the random part."""


def make(rows: int, seed: int) -> pd.DataFrame:
    """Simulate `rows` customers."""
    latents = Latents(rows, seed)
    age, education = latents.new(), latents.new()
    limit = latents.new((0.25, age), (-0.25, education))
    data = {
        "LIMIT_BAL": whole(quantile(limit, LIMIT), 10_000),
        "SEX": category(latents.new(), SEX),
        "EDUCATION": category(education, EDUCATION),
        "MARRIAGE": category(latents.new((-0.5, age)), MARRIAGE),
        "AGE": whole(quantile(age, AGE)),
        **six_months(latents, limit),
    }
    months_late = sum(data[month] > 0 for month in list(STATUS)[1:])
    risk = choose(data["PAY_0"], RISK) + 0.17 * months_late - 0.18 * limit + latents.new()
    data[LABEL] = (risk > np.quantile(risk, 1 - DEFAULTS)).astype(int)
    return pd.DataFrame(data, index=pd.RangeIndex(1, rows + 1, name="ID"))


def six_months(latents: Latents, limit: Column) -> Data:
    """Simulate how each month was paid, each month's bill and each month's payment, newest month first."""
    # A customer with a low limit pays later. A month depends half on the customer and half on the month before.
    lateness = latents.new((-0.4, limit))
    status = [
        category(latents.new((0.7, lateness), (0.714, month)), shares)
        for month, shares in zip(latents.months(0.73), STATUS.values(), strict=True)
    ]
    # Bills depend on the customer's usual payment status. Customers with a low limit use a larger share of it.
    usual = category(lateness, STATUS["PAY_3"])
    credit = whole(quantile(limit, LIMIT), 10_000)
    bills = [
        whole(season * credit * quantile_by(usual, latents.new((-0.45, limit), (0.89, month)), BILL))
        for month, season in zip(latents.months(0.94), SEASON, strict=True)
    ]
    payments = [
        payment(quantile_by(np.maximum(paid, usual), month, PAYMENT), due)
        for month, paid, due in zip(latents.months(0.3), status, [*bills[1:], bills[-1]], strict=True)
    ]
    return {
        **dict(zip(STATUS, status, strict=True)),
        **{f"BILL_AMT{number}": amount for number, amount in enumerate(bills, 1)},
        **{f"PAY_AMT{number}": amount for number, amount in enumerate(payments, 1)},
    }


class Latents:
    """Makes columns of standard normal random numbers, which can be correlated with earlier columns."""

    def __init__(self, rows: int, seed: int) -> None:
        self._rows = rows
        self._random = np.random.RandomState(seed)  # its stream never changes, unlike that of `default_rng`

    def new(self, *parts: tuple[float, Column]) -> Column:
        """Make a column of weighted parts (which must be nearly independent) and random numbers."""
        rest = math.sqrt(1 - sum(weight * weight for weight, _ in parts))
        column = rest * self._random.standard_normal(self._rows)
        for weight, part in parts:
            column += weight * part
        return column

    def months(self, keep: float) -> list[Column]:
        """Make a column for each month. Columns of neighbouring months have the correlation `keep`."""
        months = [self.new()]
        while len(months) < len(STATUS):
            months.append(self.new((keep, months[-1])))
        return months


def category(latent: Column, shares: Mapping[int, float]) -> Column:
    """Give each category its share of the customers, in the order of `latent`."""
    total = sum(shares.values())
    bounds = [NormalDist().inv_cdf(below / total) for below in accumulate(list(shares.values())[:-1])]
    return np.array(list(shares))[np.searchsorted(bounds, latent)]


def quantile(latent: Column, values: tuple[float, ...]) -> Column:
    """Turn `latent` into amounts whose quantiles at `PROBABILITIES` are `values`."""
    return np.interp(latent, [NormalDist().inv_cdf(probability) for probability in PROBABILITIES], values)


def quantile_by(paid: Column, latent: Column, tables: Mapping[int, tuple[float, ...]]) -> Column:
    """Turn `latent` into amounts, by the quantiles for each customer's payment status."""
    return choose(paid, {key: quantile(latent, values) for key, values in tables.items()})


def choose(paid: Column, choices: Choices) -> Column:
    """Take each customer's value from the choice for their payment status."""
    paid = paid.clip(min(choices), max(choices))
    return np.select([paid == key for key in choices], list(choices.values()))


def payment(share: Column, due: Column) -> Column:
    """A share of the amount due: exact to the dollar if the share is 1, else rounded to hundreds."""
    amount = share * due.clip(0)
    return np.where(share == 1, whole(amount), whole(amount, 100))


def whole(amount: Column, unit: int = 1) -> Column:
    """Round to a multiple of `unit`."""
    return np.rint(amount / unit).astype(int) * unit


def write(customers: pd.DataFrame, path: Path) -> None:
    """Write the customers in the format of the real file, which has a line `,X1,X2,...,Y` above the names."""
    path.parent.mkdir(parents=True, exist_ok=True)
    features = ",".join(f"X{number}" for number in range(1, customers.shape[1]))
    with path.open("w", encoding="ascii", newline="") as file:
        file.write(f",{features},Y\n")
        customers.to_csv(file, lineterminator="\n")


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description="Make credit card data like UCI's, of customers that don't exist.")
    parser.add_argument("--rows", type=int, default=6000, help="number of customers (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="seed of the random numbers (default: %(default)s)")
    parser.add_argument("--output", type=Path, required=True, help="CSV file to write")
    args = parser.parse_args()
    write(make(args.rows, args.seed), args.output)


if __name__ == "__main__":
    main()
